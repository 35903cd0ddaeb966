import type { Random } from '../../base/index.ts';
import type { Description } from '../predicates.ts';
import type { Scene, SceneObject } from '../scene.ts';
import { relationSentence } from './captions.ts';
import { capital, counted, indefinite, leftToRight, placeOf, placeWords } from './phrase.ts';

/** Size, colour and shape, and the pattern where there is one. */
function full({ size, color, pattern, shape }: SceneObject): Description {
  return pattern === 'solid' ? { size, color, shape } : { size, color, pattern, shape };
}

function objectSentence(scene: Scene, object: SceneObject, random: Random): string {
  const place = placeOf(scene, object, random);
  const phrase = indefinite(full(object));
  if (place === undefined) return `There is ${phrase}.`;
  return random.chance(0.8)
    ? `There is ${phrase} ${placeWords(place)}.`
    : capital(`${phrase} is ${placeWords(place)}.`);
}

/** A detailed description: how many objects, each with its attributes and place, and sometimes a relation. */
export function detail(scene: Scene, random: Random): string {
  const total = counted({}, scene.objects.length);
  const sentences = [`The image shows ${total} on a ${scene.background} table.`];
  for (const object of leftToRight(scene)) sentences.push(objectSentence(scene, object, random));
  const relation = random.chance(0.5) ? relationSentence(scene, random) : undefined;
  if (relation) sentences.push(relation);
  return sentences.join(' ');
}
