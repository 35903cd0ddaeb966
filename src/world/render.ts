import { TesseraError } from '../base/index.ts';
import type { Background, Color, Pattern, ShapeName } from './attributes.ts';
import type { Box } from './layout.ts';
import { grid } from './layout.ts';
import { letterRows } from './letters.ts';
import { outlines } from './outlines.ts';
import type { Scene, SceneObject } from './scene.ts';
import { scaleScene } from './scene.ts';

/** Eight-bit RGB, row by row, without padding. */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

type Rgb = readonly [number, number, number];

const paints: { readonly [C in Color]: { readonly base: Rgb; readonly mark: Rgb } } = {
  red: { base: [214, 30, 36], mark: [255, 235, 235] },
  green: { base: [28, 150, 56], mark: [230, 255, 230] },
  blue: { base: [30, 80, 220], mark: [230, 240, 255] },
  yellow: { base: [250, 216, 20], mark: [130, 90, 0] },
  purple: { base: [120, 36, 160], mark: [250, 230, 255] },
  orange: { base: [246, 128, 16], mark: [255, 245, 225] },
  black: { base: [26, 26, 30], mark: [235, 235, 235] },
  pink: { base: [248, 130, 190], mark: [130, 20, 80] },
};

const surfaces: { readonly [B in Background]: { readonly base: Rgb; readonly grain: Rgb } } = {
  white: { base: [244, 243, 240], grain: [239, 238, 235] },
  gray: { base: [190, 193, 198], grain: [186, 189, 194] },
  wooden: { base: [222, 197, 160], grain: [211, 184, 146] },
};

const pebble: Rgb = [132, 134, 138];
/** Sub-pixels along each side of a pixel. */
const samples = 4;

/**
 * The image of a scene, anti-aliased, the same bytes on every machine.
 * @param size side in pixels, at least 64; by default the scene's own
 * @throws TesseraError `world/picture-size`
 */
export function renderScene(scene: Scene, size = scene.width): Image {
  if (!Number.isInteger(size) || size < grid) {
    throw new TesseraError({
      code: 'world/picture-size',
      message: 'the image is too small to show its objects',
      path: 'size',
      expected: `a whole number of at least ${grid} pixels`,
      got: `${size}`,
    });
  }
  const scaled = scaleScene(scene, size);
  const image = { width: size, height: size, data: table(scene.background, size) };
  for (const box of scaled.clutter ?? []) paintBox(image, box, () => true, pebble);
  for (const object of scaled.objects) paintObject(image, object);
  return image;
}

const tables = new Map<string, Uint8Array>();

/** A plain table with broad planks: at the end of every eighth of the height, one row of another shade. */
function table(background: Background, size: number): Uint8Array<ArrayBuffer> {
  const key = `${background} ${size}`;
  const known = tables.get(key);
  if (known) return new Uint8Array(known);
  const { base, grain } = surfaces[background];
  const plank = Math.floor(size / 8);
  const data = new Uint8Array(size * size * 3);
  for (let i = 0; i < size * size; i++) data.set(Math.floor(i / size) % plank === plank - 1 ? grain : base, i * 3);
  tables.set(key, data);
  return new Uint8Array(data);
}

function paintObject(image: Image, object: SceneObject): void {
  const { base, mark } = paints[object.color];
  const [x1, y1, x2, y2] = object.bbox;
  const mask = coverage(object.shape, object.pattern, x2 - x1, y2 - y1);
  for (let y = y1, i = 0; y < y2; y++) {
    for (let x = x1; x < x2; x++, i += 2) {
      blend(image, x, y, base, mask[i] as number);
      blend(image, x, y, mark, mask[i + 1] as number);
    }
  }
  if (object.letter !== undefined) paintLetter(image, object, mark);
}

function blend({ width, height, data }: Image, x: number, y: number, color: Rgb, share: number): void {
  if (share === 0 || x < 0 || y < 0 || x >= width || y >= height) return;
  const at = (y * width + x) * 3;
  const whole = samples * samples;
  for (let c = 0; c < 3; c++) {
    const under = data[at + c] as number;
    data[at + c] = under + Math.round((((color[c] as number) - under) * share) / whole);
  }
}

const masks = new Map<string, Uint8Array>();

/** Two numbers a pixel: sub-pixels inside the outline, and those of them that carry the pattern's marks. */
function coverage(shape: ShapeName, pattern: Pattern, width: number, height: number): Uint8Array {
  const key = `${shape} ${pattern} ${width} ${height}`;
  const known = masks.get(key);
  if (known) return known;
  const mask = new Uint8Array(width * height * 2);
  const { inside } = outlines[shape];
  for (let y = 0; y < height * samples; y++) {
    for (let x = 0; x < width * samples; x++) {
      const u = (x + 0.5) / (width * samples);
      const v = (y + 0.5) / (height * samples);
      if (!inside(u, v)) continue;
      const at = (Math.floor(y / samples) * width + Math.floor(x / samples)) * 2;
      mask[at] = (mask[at] as number) + 1;
      if (marked(pattern, u, v, width / height)) mask[at + 1] = (mask[at + 1] as number) + 1;
    }
  }
  masks.set(key, mask);
  return mask;
}

/** Three light stripes, or dots a third of the height apart. */
function marked(pattern: Pattern, u: number, v: number, aspect: number): boolean {
  if (pattern === 'solid') return false;
  if (pattern === 'striped') return Math.floor(v * 7) % 2 === 1;
  const du = ((u * aspect * 3.5 + 0.25) % 1) - 0.5;
  const dv = ((v * 3.5 + 0.25) % 1) - 0.5;
  return du * du + dv * dv <= 0.08;
}

function paintBox(image: Image, [x1, y1, x2, y2]: Box, lit: (u: number, v: number) => boolean, color: Rgb): void {
  for (let y = y1; y < y2; y++) {
    for (let x = x1; x < x2; x++) {
      const on = lit((x + 0.5 - x1) / (x2 - x1), (y + 0.5 - y1) / (y2 - y1));
      if (on) blend(image, x, y, color, samples * samples);
    }
  }
}

/** A letter in the middle half of the object's box. */
function paintLetter(image: Image, { bbox, letter }: SceneObject, color: Rgb): void {
  const rows = letterRows[letter as string] ?? [];
  const [x1, y1, x2, y2] = bbox;
  const side = Math.max(5, Math.floor(Math.min(x2 - x1, y2 - y1) / 10) * 5);
  const x = Math.floor((x1 + x2 - side) / 2);
  const y = Math.floor((y1 + y2 - side) / 2);
  const lit = (u: number, v: number): boolean => rows[Math.floor(v * 5)]?.[Math.floor(u * 5)] === '#';
  paintBox(image, [x, y, x + side, y + side], lit, color);
}
