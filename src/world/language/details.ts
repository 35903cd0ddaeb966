import type { Random } from '../../base/index.ts';
import { sizes } from '../attributes.ts';
import type { Description } from '../predicates.ts';
import type { Scene, SceneObject } from '../scene.ts';
import { shownColors } from '../themes.ts';
import { relationSentence } from './captions.ts';
import { mostExpected } from './expectation.ts';
import { capital, counted, indefinite, leftToRight, placeOf, placeWords, surePlaces } from './phrase.ts';

/** Size, colour and shape, and the pattern where there is one. */
function full({ size, color, pattern, shape }: SceneObject): Description {
  return pattern === 'solid' ? { size, color, shape } : { size, color, pattern, shape };
}

function objectSentence(object: SceneObject, where: string, random: Random): string {
  const phrase = indefinite(full(object));
  if (where === '') return `There is ${phrase}.`;
  return random.chance(0.8) ? `There is ${phrase} ${where}.` : capital(`${phrase} is ${where}.`);
}

/** One sure place of an object, "" when it has none. */
function somewhere(scene: Scene, object: SceneObject, random: Random): string {
  const place = placeOf(scene, object, random);
  return place === undefined ? '' : placeWords(place);
}

function describe(scene: Scene, where: (object: SceneObject) => string, random: Random): string[] {
  const total = counted({}, scene.objects.length);
  const sentences = leftToRight(scene).map((object) => objectSentence(object, where(object), random));
  return [`The image shows ${total} on a ${scene.background} table.`, ...sentences];
}

/**
 * A detailed description: how many objects, each with its attributes and a place, and sometimes a relation.
 * @param cooccurrence probability that it goes on with a thing that is not there and is most expected of all; once more
 *   with the same probability
 */
export function detail(scene: Scene, random: Random, cooccurrence = 0): string {
  const sentences = describe(scene, (object) => somewhere(scene, object, random), random);
  const expected = cooccurrence > 0 ? expectedSentences(scene, cooccurrence, random) : [];
  const relation = random.chance(0.5) ? relationSentence(scene, random) : undefined;
  return [...sentences, ...expected, ...(relation ? [relation] : [])].join(' ');
}

/** Sentences about up to two things that are not there, but are expected. */
function expectedSentences(scene: Scene, probability: number, random: Random): string[] {
  const number = random.chance(probability) ? (random.chance(probability) ? 2 : 1) : 0;
  return random
    .shuffle(mostExpected(scene))
    .slice(0, number)
    .map((shape) => {
      const color = random.pick(shownColors(shape));
      return `There is ${indefinite({ size: random.pick(sizes), color, shape })}.`;
    });
}

/** A detailed description that tells every sure place of every object, for questions that are answered from text. */
export function fullDetail(scene: Scene, random: Random): string {
  const where = (object: SceneObject): string => surePlaces(scene, object).map(placeWords).join(' and ');
  return describe(scene, where, random).join(' ');
}
