import type { Random } from '../../base/index.ts';
import type { Description, Place } from '../predicates.ts';
import type { Scene, SceneObject } from '../scene.ts';
import { numberWord } from './lexicon.ts';
import { capital, counted, indefinite, leftToRight, placeWords, surePlaces } from './phrase.ts';

/** Size, colour and shape, and the pattern where there is one. */
function full({ size, color, pattern, shape }: SceneObject): Description {
  return pattern === 'solid' ? { size, color, shape } : { size, color, pattern, shape };
}

/** "a small red ball on the left and at the top". */
function placed(object: SceneObject, places: readonly Place[]): string {
  return [indefinite(full(object)), places.map(placeWords).join(' and ')].filter(Boolean).join(' ');
}

function opening(scene: Scene): string {
  return `The image shows ${counted({}, scene.objects.length)} on a ${scene.background} table.`;
}

/** "Two: a small red ball on the left.", the objects being numbered from left to right. */
function entries(scene: Scene, told: (places: readonly Place[]) => readonly Place[]): string[] {
  return leftToRight(scene).map(
    (object, i) => `${capital(numberWord(i + 1))}: ${placed(object, told(surePlaces(scene, object)))}.`,
  );
}

/**
 * A detailed description: how many objects, then each with its attributes and a place, numbered from left to right. A
 * scene has one such text, so that every word of it can be known from the picture.
 */
export function detail(scene: Scene): string {
  return [opening(scene), ...entries(scene, (places) => places.slice(0, 1))].join(' ');
}

/** A detailed description in any order, with every sure place of every object: what is asked has to be looked up. */
export function shuffledDetail(scene: Scene, random: Random): string {
  return [opening(scene), ...random.shuffle(entries(scene, (places) => places))].join(' ');
}

function objectSentence(scene: Scene, object: SceneObject, random: Random): string {
  const phrase = indefinite(full(object));
  const where = surePlaces(scene, object).map(placeWords).join(' and ');
  if (where === '') return `There is ${phrase}.`;
  return random.chance(0.8) ? `There is ${phrase} ${where}.` : capital(`${phrase} is ${where}.`);
}

/** A detailed description that tells every sure place of every object, for questions that are answered from text. */
export function fullDetail(scene: Scene, random: Random): string {
  return [opening(scene), ...leftToRight(scene).map((object) => objectSentence(scene, object, random))].join(' ');
}
