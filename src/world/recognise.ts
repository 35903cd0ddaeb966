import { TesseraError } from '../base/index.ts';
import {
  backgrounds,
  type Color,
  colors,
  type Pattern,
  patterns,
  type ShapeName,
  type Size,
  shapes,
  sizes,
} from './attributes.ts';
import { type Box, extentAt, grid, snappedSides } from './layout.ts';
import { renderScene } from './render.ts';
import type { Scene } from './scene.ts';

/** A thing that was found in an image, whoever painted it. */
export interface Recognised {
  readonly shape: ShapeName;
  readonly color: Color;
  readonly pattern: Pattern;
  readonly size: Size;
  /** In pixels of the image. */
  readonly bbox: Box;
  /** 1 where the image is what the world would paint there, 0 where the bare table is as near. */
  readonly fit: number;
}

/** Eight-bit RGB, row by row. */
interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Places of things along a side; they start on eighths of it, as those of scenes do unless told otherwise. */
const PLACES = 8;
/** Pixels along a side that are looked at, at most: things are told apart there, in a quarter of the time of the whole. */
const MOST = grid / 2;
/** What fits worse is taken for no thing. */
const LEAST_FIT = 0.6;

/**
 * Finds the things of an image by painting: each thing that the world has is held against each place, and explains so much of
 * what differs from the bare table. The best are taken first, and none that overlaps another. Things that lie off the eighths of
 * a side, under others or behind pebbles are read less well.
 * @param image square, of at least 16 pixels a side; it is looked at in a multiple of 8, at most 32
 * @throws TesseraError `world/recognise`
 * @example recognise(renderScene(scene)).map(({ color, shape }) => `${color} ${shape}`)
 */
export function recognise(image: Pixels): Recognised[] {
  const { width, height } = image;
  if (width !== height || width < 2 * PLACES) {
    throw new TesseraError({
      code: 'world/recognise',
      message: 'images of the tabletop are square and show their things',
      expected: `a square of at least ${2 * PLACES} pixels a side`,
      got: `${width} x ${height}`,
    });
  }
  const side = Math.min(MOST, PLACES * Math.floor(width / PLACES));
  const seen = shrunk(image, side);
  const set = nearestSet(seen, side);
  const found: Recognised[] = [];
  const back = ([x1, y1, x2, y2]: Box): Box => {
    const at = (x: number) => Math.round((x * width) / grid);
    return [at(x1), at(y1), at(x2), at(y2)];
  };
  for (const { bbox, gain: _, ...thing } of candidates(seen, set, side)) {
    if (found.every((other) => apart(bbox, other.bbox))) found.push({ ...thing, bbox });
  }
  return found.map((thing) => ({ ...thing, bbox: back(thing.bbox) }));
}

const apart = (a: Box, b: Box) => a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1];

type Kind = Pick<Recognised, 'shape' | 'color' | 'pattern' | 'size'>;

/** A thing as it is painted in the upper left corner of a table. */
interface Template {
  readonly kind: Kind;
  /** Pixels of the 64-pixel grid. */
  readonly extent: readonly [number, number];
  /** Columns and rows of `change`: red, green and blue less those of the bare table. */
  readonly columns: number;
  readonly rows: number;
  readonly change: Float32Array;
  /** Sum of its squares less those of the table. */
  readonly squares: number;
  /** How far it is from the bare table: a sum of squares. */
  readonly energy: number;
}

interface TemplateSet {
  readonly table: Float32Array;
  readonly templates: readonly Template[];
}

/** Everything that may lie somewhere, the most telling first. */
function candidates(seen: Float32Array, { table, templates }: TemplateSet, side: number) {
  const found: (Recognised & { readonly gain: number })[] = [];
  const unlike = boxSums(seen, table, side);
  const step = side / PLACES;
  for (let place = 0; place < PLACES * PLACES; place++) {
    const [x, y] = [place % PLACES, Math.floor(place / PLACES)];
    for (const template of templates) {
      const { extent, columns, rows, energy } = template;
      const bbox = boxAt(extent, x, y);
      if (bbox[2] > grid || bbox[3] > grid) continue;
      // What is there may be less than the thing, or more, of which it then explains a part.
      const there = unlike(x * step, y * step, columns, rows);
      if (there < LEAST_FIT * energy) continue;
      const gain = explained(seen, template, x * step, y * step, side);
      const fit = gain / Math.max(energy, there);
      if (fit >= LEAST_FIT) found.push({ ...template.kind, bbox, fit, gain });
    }
  }
  return found.sort((a, b) => b.gain - a.gain);
}

function boxAt([width, height]: Template['extent'], column: number, row: number): Box {
  const [left, top] = [(column * grid) / PLACES, (row * grid) / PLACES];
  return [left, top, left + width, top + height];
}

/**
 * By how much the sum of squares to the image v is less with the thing t than with the bare table b:
 * `sum (v - b)^2 - (v - t)^2 = 2 sum v (t - b) - sum t^2 - b^2`.
 */
function explained(seen: Float32Array, template: Template, left: number, top: number, side: number): number {
  const { columns, rows, change, squares: own } = template;
  let sum = 0;
  for (let y = 0; y < rows; y++) {
    let at = 3 * ((top + y) * side + left);
    for (let i = 3 * y * columns, end = i + 3 * columns; i < end; i++, at++) {
      sum += (seen[at] as number) * (change[i] as number);
    }
  }
  return 2 * sum - own;
}

/** Sums of squares between an image and a table over boxes, from those over all that is above and to the left of a pixel. */
function boxSums(seen: Float32Array, table: Float32Array, side: number) {
  const row = side + 1;
  const sums = new Float64Array(row * row);
  const sum = (x: number, y: number) => sums[y * row + x] as number;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const at = 3 * (y * side + x);
      sums[(y + 1) * row + x + 1] = squares(seen, table, at, at + 3) + sum(x, y + 1) + sum(x + 1, y) - sum(x, y);
    }
  }
  return (x: number, y: number, columns: number, rows: number) =>
    sum(x + columns, y + rows) - sum(x, y + rows) - sum(x + columns, y) + sum(x, y);
}

const sets = new Map<number, readonly TemplateSet[]>();

/** The templates over the table that most of the image is made of. */
function nearestSet(seen: Float32Array, side: number): TemplateSet {
  const known = sets.get(side) ?? backgrounds.map((background) => templateSet(background, side));
  sets.set(side, known);
  const far = ({ table }: TemplateSet) => {
    const each = Array.from({ length: side * side }, (_, p) => squares(seen, table, 3 * p, 3 * p + 3));
    return each.sort((a, b) => a - b)[Math.floor(each.length / 2)] as number;
  };
  return known.reduce((a, b) => (far(b) < far(a) ? b : a));
}

function squares(a: Float32Array, b: Float32Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += ((a[i] as number) - (b[i] as number)) ** 2;
  return sum;
}

function templateSet(background: Scene['background'], side: number): TemplateSet {
  const bare = { image_id: 0, width: grid, height: grid, background, objects: [] };
  const table = shrunk(renderScene(bare), side);
  const kinds = shapes.flatMap((shape) =>
    colors.flatMap((color) => patterns.flatMap((pattern) => sizes.map((size) => ({ shape, color, pattern, size })))),
  );
  const templates = kinds.flatMap((kind) =>
    snappedSides(kind.size, grid / PLACES).map((longest): Template => {
      const extent = extentAt(kind.shape, longest);
      const whole = shrunk(renderScene({ ...bare, objects: [{ id: 0, ...kind, bbox: [0, 0, ...extent] }] }), side);
      const [columns, rows] = extent.map((pixels) => Math.ceil((pixels * side) / grid)) as [number, number];
      const change = new Float32Array(3 * columns * rows);
      let own = 0;
      for (let i = 0; i < change.length; i++) {
        const at = 3 * (Math.floor(i / (3 * columns)) * side) + (i % (3 * columns));
        const [painted, beneath] = [whole[at] as number, table[at] as number];
        change[i] = painted - beneath;
        own += painted ** 2 - beneath ** 2;
      }
      return { kind, extent, columns, rows, change, squares: own, energy: squares(whole, table, 0, whole.length) };
    }),
  );
  return { table, templates };
}

/** A square image at fewer pixels a side, each the mean of what it covers. */
function shrunk({ width, data }: Pixels, side: number): Float32Array {
  const out = new Float32Array(3 * side * side);
  const scale = width / side;
  /** Pixels under one of the smaller image along a side, with the share of each. */
  const under = Array.from({ length: side }, (_, i) => {
    const [from, to] = [i * scale, (i + 1) * scale];
    return Array.from({ length: Math.ceil(to) - Math.floor(from) }, (_, k) => {
      const at = Math.floor(from) + k;
      return { at, share: (Math.min(at + 1, to) - Math.max(at, from)) / scale };
    }).filter(({ at, share }) => share > 0 && at < width);
  });
  for (const [y, rows] of under.entries()) {
    for (const [x, columns] of under.entries()) {
      for (const row of rows) {
        for (const column of columns) {
          const from = 3 * (row.at * width + column.at);
          const to = 3 * (y * side + x);
          for (let c = 0; c < 3; c++) {
            out[to + c] = (out[to + c] as number) + row.share * column.share * (data[from + c] as number);
          }
        }
      }
    }
  }
  return out;
}
