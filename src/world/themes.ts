import type { Color, ShapeName } from './attributes.ts';
import { colors, shapes } from './attributes.ts';

/** Shapes that keep each other's company. A model trained on them learns to expect one when it sees another. */
export const themes = {
  kitchen: ['cup', 'bottle', 'mushroom', 'ball'],
  toys: ['ball', 'cube', 'cone', 'star'],
  keepsakes: ['heart', 'ring', 'star', 'moon'],
  signs: ['arrow', 'cross', 'cone', 'moon'],
} as const satisfies Record<string, readonly ShapeName[]>;

export const themeNames = Object.keys(themes) as (keyof typeof themes)[];

/** Shapes that share a theme with `shape`, itself excluded. */
export function companions(shape: ShapeName): ShapeName[] {
  const all = themeNames.map((name): readonly ShapeName[] => themes[name]).filter((theme) => theme.includes(shape));
  return shapes.filter((other) => other !== shape && all.some((theme) => theme.includes(other)));
}

/** The colour in which a shape appears in the split `compositional` alone. */
export function heldOutColor(shape: ShapeName): Color {
  return colors[(shapes.indexOf(shape) * 5 + 2) % colors.length] as Color;
}

/** The colours in which a shape appears in training. */
export function shownColors(shape: ShapeName): Color[] {
  return colors.filter((color) => !isHeldOut(shape, color));
}

export function isHeldOut(shape: ShapeName, color: Color): boolean {
  return heldOutColor(shape) === color;
}
