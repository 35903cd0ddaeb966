import type { Random } from '../../base/index.ts';
import type { Description, Place } from '../predicates.ts';
import type { Scene, SceneObject } from '../scene.ts';
import { ordinalWord } from './lexicon.ts';
import { capital, counted, indefinite, leftToRight, placeWords, surePlaces } from './phrase.ts';

/** Size, colour and shape, and the pattern where there is one. */
function full({ size, color, pattern, shape }: SceneObject): Description {
  return pattern === 'solid' ? { size, color, shape } : { size, color, pattern, shape };
}

/** "Second, there is a small red ball on the left.", objects being numbered from left to right. */
function objectSentences(scene: Scene, told: (places: readonly Place[]) => readonly Place[]): string[] {
  const objects = leftToRight(scene);
  return objects.map((object, i) => {
    const where = told(surePlaces(scene, object)).map(placeWords).join(' and ');
    const said = `there is ${indefinite(full(object))}${where && ` ${where}`}.`;
    return capital(objects.length > 1 ? `${ordinalWord(i + 1)}, ${said}` : said);
  });
}

function opening(scene: Scene): string {
  return `The image shows ${counted({}, scene.objects.length)} on a ${scene.background} table.`;
}

/**
 * A detailed description: how many objects, then each with its attributes and a place, numbered from left to right. A
 * scene has one such text, so that every word of it can be known from the picture.
 */
export function detail(scene: Scene): string {
  return [opening(scene), ...objectSentences(scene, (places) => places.slice(0, 1))].join(' ');
}

/**
 * A detailed description that tells every sure place of every object, half of the time in any order: what is asked about
 * it has to be looked up.
 */
export function fullDetail(scene: Scene, random: Random): string {
  const sentences = objectSentences(scene, (places) => places);
  return [opening(scene), ...(random.chance(0.5) ? random.shuffle(sentences) : sentences)].join(' ');
}
