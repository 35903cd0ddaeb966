import type { Random } from '../base/index.ts';
import { TesseraError } from '../base/index.ts';
import type { ShapeName, Size } from './attributes.ts';
import { outlines } from './outlines.ts';

/** Left, top, right, bottom in pixels; the right and bottom edges lie outside. */
export type Box = readonly [x1: number, y1: number, x2: number, y2: number];

/** Side of the grid on which scenes are laid out; images of other sizes are scaled from it. */
export const grid = 64;

/** Least and most pixels. */
const longestSide = { small: [14, 16], large: [22, 26] } as const satisfies Record<Size, readonly [number, number]>;

type Extent = readonly [width: number, height: number];

export interface LayoutRules {
  /** Largest share of the smaller of two boxes that may be covered; 0 keeps a gap of a pixel. */
  readonly occlusion: number;
  /** Objects start on multiples of this many pixels, and their longer side is one; 1 puts them anywhere. */
  readonly snap: number;
}

/** The lengths that the longer sides of things of a size may have. */
export function snappedSides(size: Size, snap: number): number[] {
  const [least, most] = longestSide[size].map((pixels) => pixels / snap) as [number, number];
  return Array.from({ length: Math.floor(most) - Math.ceil(least) + 1 }, (_, i) => snap * (Math.ceil(least) + i));
}

/** Width and height of a shape whose longer side is given. */
export function extentAt(shape: ShapeName, side: number): Extent {
  const { aspect } = outlines[shape];
  return [Math.round(side * aspect[0]), Math.round(side * aspect[1])];
}

/** Width and height of the shape at one of the size's lengths. */
function extent(shape: ShapeName, size: Size, snap: number, random: Random): Extent {
  const sides = snappedSides(size, snap);
  return extentAt(shape, sides[random.int(0, sides.length)] as number);
}

const area = (b: Box): number => (b[2] - b[0]) * (b[3] - b[1]);

/** Share of the smaller box that the two have in common; boxes closer than a pixel touch with share 0. */
export function overlapShare(a: Box, b: Box): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  return width <= 0 || height <= 0 ? 0 : (width * height) / Math.min(area(a), area(b));
}

function fits(box: Box, placed: readonly Box[], occlusion: number): boolean {
  const grown: Box = [box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1];
  return placed.every((p) => (occlusion > 0 ? overlapShare(box, p) <= occlusion : overlapShare(grown, p) === 0));
}

function place(extent: Extent, placed: readonly Box[], { occlusion, snap }: LayoutRules, random: Random): Box | null {
  const [width, height] = extent;
  for (let attempt = 0; attempt < 40; attempt++) {
    const x = snap * random.int(0, Math.floor((grid - width) / snap) + 1);
    const y = snap * random.int(0, Math.floor((grid - height) / snap) + 1);
    const box: Box = [x, y, x + width, y + height];
    if (fits(box, placed, occlusion)) return box;
  }
  return null;
}

function placeAll(items: readonly Item[], rules: LayoutRules, random: Random): Box[] | null {
  const placed: Box[] = [];
  for (const { shape, size } of items) {
    const box = place(extent(shape, size, rules.snap, random), placed, rules, random);
    if (!box) return null;
    placed.push(box);
  }
  return placed;
}

interface Item {
  shape: ShapeName;
  size: Size;
}

/**
 * Boxes for the items on the 64-pixel grid. When a crowded table leaves no room, large items become small, one by one.
 * @throws TesseraError `world/crowded` when even small items do not fit
 */
export function layOut<T extends Item>(
  wanted: readonly T[],
  rules: LayoutRules,
  random: Random,
): { item: T; box: Box }[] {
  const items = wanted.map((item) => ({ ...item }));
  for (let round = 0; round < 200; round++) {
    const boxes = placeAll(items, rules, random);
    if (boxes) return items.map((item, i) => ({ item, box: boxes[i] as Box }));
    const large = items.find((item) => item.size === 'large');
    if (large && round % 6 === 5) large.size = 'small';
  }
  throw new TesseraError({
    code: 'world/crowded',
    message: `${items.length} objects do not fit on the table`,
    path: 'objects',
    expected: 'few enough objects to lie side by side',
    got: `${items.length}`,
    remedy: 'ask for fewer objects or allow occlusion',
  });
}
