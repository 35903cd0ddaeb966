/** What an object of the tabletop world may be. The order of these lists is part of the world: scenes depend on it. */
export const shapes = [
  'ball',
  'cube',
  'cone',
  'ring',
  'star',
  'heart',
  'cross',
  'moon',
  'arrow',
  'cup',
  'bottle',
  'mushroom',
] as const;
export type ShapeName = (typeof shapes)[number];

export const colors = ['red', 'green', 'blue', 'yellow', 'purple', 'orange', 'black', 'pink'] as const;
export type Color = (typeof colors)[number];

export const sizes = ['small', 'large'] as const;
export type Size = (typeof sizes)[number];

export const patterns = ['solid', 'striped', 'dotted'] as const;
export type Pattern = (typeof patterns)[number];

/** What the table is made of. */
export const backgrounds = ['white', 'gray', 'wooden'] as const;
export type Background = (typeof backgrounds)[number];
