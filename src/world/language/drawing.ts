import type { Random } from '../../base/index.ts';
import { relations, someRelated } from '../predicates.ts';
import type { Scene } from '../scene.ts';
import { coloredThings, relationWords } from './captions.ts';
import { indefinite } from './phrase.ts';

const openings = ['Draw', 'Paint', 'Draw an image of', 'Make an image of'] as const;

/** A request for an image of a scene, which names every object by colour and shape: "Draw a red ball and two blue cubes." */
export function drawingRequest(scene: Scene, random: Random): string {
  const opening = random.pick(openings);
  const things = (random.chance(0.4) && related(scene, random)) || coloredThings(scene);
  return `${opening} ${things}${random.chance(0.5) ? ` on a ${scene.background} table` : ''}.`;
}

/** "a red ball to the left of a blue cube", for a scene of two that differ. */
function related(scene: Scene, random: Random): string | undefined {
  const [a, b, ...more] = random.shuffle(scene.objects).map(({ color, shape }) => ({ color, shape }));
  if (!a || !b || more.length > 0 || (a.color === b.color && a.shape === b.shape)) return undefined;
  const holding = relations.filter(
    (relation) => !relation.endsWith('than') && someRelated(scene, relation, a, b) === true,
  );
  if (holding.length === 0) return undefined;
  return `${indefinite(a)} ${relationWords(random.pick(holding))} ${indefinite(b)}`;
}
