import type { Random } from '../../base/index.ts';
import { shapes } from '../attributes.ts';
import type { Description } from '../predicates.ts';
import { relations, select, someRelated } from '../predicates.ts';
import type { Scene, SceneObject } from '../scene.ts';
import { shapesOf } from '../scene.ts';
import { shownColors } from '../themes.ts';
import { expectedShapes } from './expectation.ts';
import { capital, counted, definite, indefinite, leftToRight, list, unique } from './phrase.ts';

/** Which attributes a caption names besides the shape. */
const levels: readonly ((object: SceneObject) => Description)[] = [
  ({ color, shape }) => ({ color, shape }),
  ({ color, size, shape }) => ({ color, size, shape }),
  ({ shape }) => ({ shape }),
];
/** Half the captions name shapes alone: where every caption names colours, contrastive learning sees nothing else. */
const levelWeights = [0.35, 0.15, 0.5];

/** Mentions all objects once, like ones together: "a red ball", "two blue cubes". */
function mentions(scene: Scene, describe: (object: SceneObject) => Description): string[] {
  const seen = new Set<number>();
  const parts: string[] = [];
  for (const object of leftToRight(scene)) {
    if (seen.has(object.id)) continue;
    const like = select(scene, describe(object));
    for (const other of like) seen.add(other.id);
    parts.push(like.length === 1 ? indefinite(describe(object)) : counted(describe(object), like.length));
  }
  return parts;
}

/** All objects by colour and shape, from left to right: "a red ball and two blue cubes". */
export function coloredThings(scene: Scene): string {
  return list(mentions(scene, levels[0] as (typeof levels)[number]));
}

const isPlural = (part: string): boolean => !/^(a|an|one) /.test(part);

function frame(parts: readonly string[], scene: Scene, random: Random): string {
  const things = list(parts);
  const be = parts[0] !== undefined && isPlural(parts[0]) ? 'are' : 'is';
  const forms = [
    () => `${things} on a ${scene.background} table.`,
    () => `${things}.`,
    () => `there ${be} ${things} on the table.`,
    () => `a picture of ${things}.`,
    () => `the image shows ${things}.`,
    () => `this is an image of ${things} on a ${scene.background} table.`,
  ];
  return capital(random.pick(forms)());
}

/** "The red ball is left of the blue cube." for two objects that can be told apart, or undefined. */
export function relationSentence(scene: Scene, random: Random): string | undefined {
  const [a, b] = random.shuffle(scene.objects);
  if (!a || !b) return undefined;
  const first = unique(scene, a);
  const second = unique(scene, b);
  if (!first || !second) return undefined;
  const holding = relations.filter((relation) => someRelated(scene, relation, first, second) === true);
  if (holding.length === 0) return undefined;
  return capital(`${definite(first)} is ${relationWords(random.pick(holding))} ${definite(second)}.`);
}

/** "to the left of" for "left of"; the others as they are. */
export function relationWords(relation: (typeof relations)[number]): string {
  return relation === 'left of' || relation === 'right of' ? `to the ${relation}` : relation;
}

/** A short caption that names every object, and is true. */
export function caption(scene: Scene, random: Random): string {
  const describe = levels[random.weighted(levelWeights)] as (typeof levels)[number];
  return frame(mentions(scene, describe), scene, random);
}

/** A caption that names every object with its colour, for questions that are answered from text alone. */
export function colorCaption(scene: Scene, random: Random): string {
  return frame(mentions(scene, levels[0] as (typeof levels)[number]), scene, random);
}

/** Several captions of one picture, in different words as far as chance has it. */
export function captions(scene: Scene, number: number, random: Random): string[] {
  return Array.from({ length: number }, () => caption(scene, random));
}

/**
 * A caption as the web has it: with probability `noise` it also mentions a thing that often keeps the company of what
 * is there, but is not there.
 */
export function altText(scene: Scene, noise: number, random: Random): string {
  if (!random.chance(noise)) return caption(scene, random);
  const present = shapesOf(scene);
  const likely = expectedShapes(scene);
  const absent = shapes.filter((shape) => !present.includes(shape));
  const shape = random.pick(likely.length > 0 ? likely : absent);
  const color = random.pick(shownColors(shape));
  const parts = mentions(scene, levels[0] as (typeof levels)[number]);
  parts.splice(random.int(0, parts.length + 1), 0, indefinite({ color, shape }));
  return frame(parts, scene, random);
}
