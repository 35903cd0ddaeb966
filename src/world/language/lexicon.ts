import type { Background, Color, Pattern, ShapeName, Size } from '../attributes.ts';
import { backgrounds, colors, patterns, shapes, sizes } from '../attributes.ts';

/** Other words a reader may use; the generator keeps to the canonical ones. */
const otherNames: { readonly [S in ShapeName]: readonly string[] } = {
  ball: ['sphere', 'circle', 'disc'],
  cube: ['box', 'square', 'block'],
  cone: ['triangle', 'pyramid'],
  ring: ['hoop', 'donut'],
  star: [],
  heart: [],
  cross: ['plus'],
  moon: ['crescent'],
  arrow: ['pointer'],
  cup: ['mug'],
  bottle: ['flask'],
  mushroom: ['toadstool'],
};

const otherAdjectives: Readonly<Record<string, Color | Size | Pattern>> = {
  violet: 'purple',
  big: 'large',
  huge: 'large',
  tiny: 'small',
  little: 'small',
  spotted: 'dotted',
  stripy: 'striped',
  plain: 'solid',
};

export const numberWords = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];

export function plural(noun: string): string {
  return /(s|x|sh|ch)$/.test(noun) ? `${noun}es` : `${noun}s`;
}

/** "a" or "an" before a word. */
export function article(word: string): 'a' | 'an' {
  return /^[aeiou]/i.test(word) ? 'an' : 'a';
}

/** "two", or digits beyond ten. */
export function numberWord(value: number): string {
  return numberWords[value] ?? `${value}`;
}

/** A noun's canonical shape (`null` for "object" and the like) and whether it is plural. */
export interface Noun {
  readonly shape: ShapeName | null;
  readonly plural: boolean;
}

export const nouns: ReadonlyMap<string, Noun> = new Map(
  [
    ...shapes.flatMap((shape) => [shape, ...otherNames[shape]].map((name) => [name, shape] as const)),
    ...['object', 'thing', 'item', 'shape'].map((name) => [name, null] as const),
  ].flatMap(([name, shape]): [string, Noun][] => [
    [name, { shape, plural: false }],
    [plural(name), { shape, plural: true }],
  ]),
);

type Adjective =
  | { readonly color: Color }
  | { readonly size: Size }
  | { readonly pattern: Pattern }
  | { readonly background: Background };

const canonicalAdjectives = new Map<string, Adjective>([
  ...backgrounds.map((background) => [background, { background }] as const),
  ...colors.map((color) => [color, { color }] as const),
  ...sizes.map((size) => [size, { size }] as const),
  ...patterns.map((pattern) => [pattern, { pattern }] as const),
]);

export const adjectives: ReadonlyMap<string, Adjective> = new Map([
  ...canonicalAdjectives,
  ...Object.entries(otherAdjectives).map(([word, name]) => [word, canonicalAdjectives.get(name) as Adjective] as const),
]);
