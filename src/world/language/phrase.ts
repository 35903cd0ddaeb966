import type { Random } from '../../base/index.ts';
import type { Description, Place } from '../predicates.ts';
import { count, inPlace, places } from '../predicates.ts';
import type { Scene, SceneObject } from '../scene.ts';
import { article, numberWord, plural } from './lexicon.ts';

/** "small red striped ball". */
export function bare({ size, color, pattern, shape }: Description): string {
  return [size, color, pattern, shape ?? 'object'].filter((word) => word !== undefined).join(' ');
}

/** "a red ball", "an orange cup". */
export function indefinite(description: Description): string {
  const words = bare(description);
  return `${article(words)} ${words}`;
}

/** "the red ball". */
export function definite(description: Description): string {
  return `the ${bare(description)}`;
}

/** "two red balls", "one ball", "no cubes". */
export function counted(description: Description, number: number): string {
  const words = bare(description);
  if (number === 1) return `one ${words}`;
  return `${number === 0 ? 'no' : numberWord(number)} ${plural(words)}`;
}

/** "a", "a and b", "a, b and c". */
export function list(items: readonly string[]): string {
  if (items.length < 2) return items[0] ?? '';
  return `${items.slice(0, -1).join(', ')} and ${items[items.length - 1]}`;
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Ways to speak of an object, from short to long. */
function ways({ shape, color, size, pattern }: SceneObject): Description[] {
  return [{ shape }, { color, shape }, { size, shape }, { size, color, shape }, { color, pattern, shape }];
}

/** The shortest description that fits this object alone, if any does. */
export function unique(scene: Scene, object: SceneObject): Description | undefined {
  return ways(object).find((description) => count(scene, description) === 1);
}

/** The places where an object surely is. */
export function surePlaces(scene: Scene, object: SceneObject): Place[] {
  return places.filter((place) => inPlace(scene, object, place) === true);
}

/** One sure place; undefined when the object lies between places. */
export function placeOf(scene: Scene, object: SceneObject, random: Random): Place | undefined {
  const sure = surePlaces(scene, object);
  return sure.length > 0 ? random.pick(sure) : undefined;
}

/** "on the left", "at the top", "in the middle". */
export function placeWords(place: Place): string {
  const preposition = place === 'middle' ? 'in' : place === 'left' || place === 'right' ? 'on' : 'at';
  return `${preposition} the ${place}`;
}

/** Objects from left to right; captions follow the eye, so that a picture says in which order to speak. */
export function leftToRight(scene: Scene): SceneObject[] {
  const x = ({ bbox }: SceneObject): number => bbox[0] + bbox[2];
  return [...scene.objects].sort((a, b) => x(a) - x(b) || a.bbox[1] - b.bbox[1] || a.id - b.id);
}
