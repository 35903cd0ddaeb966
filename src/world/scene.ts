import { Random } from '../base/index.ts';
import type { Background, Color, Pattern, ShapeName, Size } from './attributes.ts';
import { backgrounds, shapes } from './attributes.ts';
import type { Box } from './layout.ts';
import { grid, layOut } from './layout.ts';
import { letterRows } from './letters.ts';
import { companions, heldOutColor, shownColors, themeNames, themes } from './themes.ts';

export interface SceneObject {
  readonly id: number;
  readonly shape: ShapeName;
  readonly color: Color;
  readonly size: Size;
  readonly pattern: Pattern;
  /** Pixels: left, top, right, bottom. */
  readonly bbox: Box;
  /** A capital letter printed on the object. */
  readonly letter?: string;
}

/** An image's whole truth. Relations are derived from it, never stored. Later objects lie on top of earlier ones. */
export interface Scene {
  readonly image_id: number;
  readonly width: number;
  readonly height: number;
  readonly background: Background;
  readonly objects: readonly SceneObject[];
  /** Pebbles that are no objects. */
  readonly clutter?: readonly Box[];
}

/**
 * - `train`, `val`: the same distribution, other scenes;
 * - `compositional`: every scene has a colour and shape together that no other split ever shows together;
 * - `flipped`: shapes that keep company elsewhere avoid each other here.
 */
export const splits = ['train', 'val', 'compositional', 'flipped'] as const;
export type Split = (typeof splits)[number];

export interface SceneOptions {
  /** Fewest and most objects. */
  readonly objects: readonly [number, number];
  /** Probability that an object follows the company its split prescribes; 0 makes shapes independent. */
  readonly bias: number;
  /** Largest share of an object's box another may cover; 0 keeps objects apart. */
  readonly occlusion: number;
  /**
   * Objects start on multiples of this many 64ths of the image, and their longer side is one. At 8, the patch of the
   * tiny vision tower, outlines are learnt in minutes; at 1 objects lie anywhere, which takes far longer to learn.
   */
  readonly snap: number;
  /** Most pebbles on the table. */
  readonly clutter: number;
  /** Probability that an object carries a letter. */
  readonly letters: number;
}

export const defaultSceneOptions: SceneOptions = {
  objects: [1, 5],
  bias: 0.85,
  occlusion: 0,
  snap: 8,
  clutter: 0,
  letters: 0,
};

/** Few scenes with one object, most with three. */
const countWeights = [1, 2, 3, 2.5, 1.5];
const patternWeights = { solid: 0.8, striped: 0.1, dotted: 0.1 };

type Draft = Omit<SceneObject, 'id' | 'bbox'>;

/**
 * Scene `index` of a split on the 64-pixel grid, the same on every machine.
 * @example makeScene(0, 'train', 12).objects
 */
export function makeScene(seed: number, split: Split, index: number, options: Partial<SceneOptions> = {}): Scene {
  const settings = { ...defaultSceneOptions, ...options };
  const random = new Random(seed, 'world', split, index);
  const background = random.pick(backgrounds);
  const drafts = draftObjects(split, settings, random);
  const placed = layOut(drafts, settings, random);
  const objects = placed.map(({ item, box }, id): SceneObject => ({ id, ...item, bbox: box }));
  const clutter = pebbles(settings.clutter, random);
  const scene = { image_id: index, width: grid, height: grid, background, objects };
  return clutter.length > 0 ? { ...scene, clutter } : scene;
}

function draftObjects(split: Split, settings: SceneOptions, random: Random): Draft[] {
  const [low, high] = settings.objects;
  const counts = Array.from({ length: high - low + 1 }, (_, i) => low + i);
  const count = counts[random.weighted(counts.map((n) => countWeights[n - 1] ?? 1))] as number;
  const theme = random.pick(themeNames);
  const mustHoldOut = random.int(0, count);
  const drafts: Draft[] = [];
  for (let i = 0; i < count; i++) {
    const shape = chooseShape(split, themes[theme], drafts, settings.bias, random);
    const heldOut = split === 'compositional' && (i === mustHoldOut || random.chance(0.5));
    drafts.push(draftObject(shape, heldOut, largeLeft(drafts, count), settings.letters, random));
  }
  return drafts;
}

/** Four or more objects leave room for two large ones. */
function largeLeft(drafts: readonly Draft[], count: number): boolean {
  return count < 4 || drafts.filter((d) => d.size === 'large').length < 2;
}

function draftObject(shape: ShapeName, heldOut: boolean, mayBeLarge: boolean, letters: number, random: Random): Draft {
  const usual = shownColors(shape);
  const color = heldOut ? heldOutColor(shape) : random.pick(usual);
  const size: Size = random.chance(0.5) && mayBeLarge ? 'large' : 'small';
  const names = Object.keys(patternWeights) as Pattern[];
  const pattern = names[random.weighted(names.map((name) => patternWeights[name]))] as Pattern;
  const draft = { shape, color, size, pattern };
  return letters > 0 && random.chance(letters) ? { ...draft, letter: random.pick(Object.keys(letterRows)) } : draft;
}

function chooseShape(
  split: Split,
  theme: readonly ShapeName[],
  drafts: readonly Draft[],
  bias: number,
  random: Random,
): ShapeName {
  // Repeats make counting worth asking about.
  if (drafts.length > 0 && random.chance(0.22)) return random.pick(drafts).shape;
  if (!random.chance(bias)) return random.pick(shapes);
  if (split !== 'flipped') return random.pick(theme);
  const strangers = shapes.filter((shape) => !drafts.some((d) => companions(d.shape).includes(shape)));
  return random.pick(strangers.length > 0 ? strangers : shapes);
}

function pebbles(most: number, random: Random): Box[] {
  if (most === 0) return [];
  return Array.from({ length: random.int(0, most + 1) }, () => {
    const side = random.int(2, 4);
    const x = random.int(0, grid - side);
    const y = random.int(0, grid - side);
    return [x, y, x + side, y + side] as const;
  });
}

/** The same scene for an image of another size, with boxes on whole pixels. */
export function scaleScene(scene: Scene, width: number, height = width): Scene {
  if (width === scene.width && height === scene.height) return scene;
  const scaled = ([x1, y1, x2, y2]: Box): Box => {
    const x = Math.round((x1 * width) / scene.width);
    const y = Math.round((y1 * height) / scene.height);
    return [
      x,
      y,
      x + Math.round(((x2 - x1) * width) / scene.width),
      y + Math.round(((y2 - y1) * height) / scene.height),
    ];
  };
  const objects = scene.objects.map((object) => ({ ...object, bbox: scaled(object.bbox) }));
  const clutter = scene.clutter && { clutter: scene.clutter.map(scaled) };
  return { ...scene, width, height, objects, ...clutter };
}

/** The distinct shapes of a scene, in the order of its objects: the categories of POPE and CHAIR. */
export function shapesOf(scene: Scene): ShapeName[] {
  return [...new Set(scene.objects.map((object) => object.shape))];
}
