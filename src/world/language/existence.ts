import type { Random } from '../../base/index.ts';
import type { Color, ShapeName } from '../attributes.ts';
import { shapes } from '../attributes.ts';
import type { Description } from '../predicates.ts';
import { exists } from '../predicates.ts';
import type { Scene } from '../scene.ts';
import { shapesOf } from '../scene.ts';
import { shownColors } from '../themes.ts';
import { expectedShapes, mostExpected } from './expectation.ts';
import { bare, capital, indefinite } from './phrase.ts';
import type { Question } from './question.ts';

const wordings: readonly ((thing: string) => string)[] = [
  (thing) => `Is there ${thing} in the image?`,
  (thing) => `Is there ${thing} in the picture?`,
  (thing) => `Is there ${thing} on the table?`,
  (thing) => `Can you see ${thing}?`,
  (thing) => `Does the image show ${thing}?`,
];
/** POPE's own wording comes first and half of the time. */
const wordingWeights = [5, 1, 2, 1, 1];

function ask(
  scene: Scene,
  description: Description,
  topic: string,
  random: Random,
  there = exists(scene, description),
): Question {
  const thing = indefinite(description);
  const text = (wordings[random.weighted(wordingWeights)] as (typeof wordings)[number])(thing);
  const sentences = there
    ? ['Yes.', `Yes, there is ${thing} in the image.`, `Yes, there is ${thing} on the table.`]
    : ['No.', `No, there is no ${bare(description)} in the image.`, `No, there is no ${bare(description)}.`];
  return { topic, subject: thing, answerType: 'yes/no', text: capital(text), short: there ? 'yes' : 'no', sentences };
}

/** An absent shape: half at random, half one that often keeps the company of what is there. */
function absentShape(scene: Scene, random: Random): ShapeName | undefined {
  const present = shapesOf(scene);
  const absent = shapes.filter((shape) => !present.includes(shape));
  const expected = expectedShapes(scene);
  const likely = absent.filter((shape) => expected.includes(shape));
  if (absent.length === 0) return undefined;
  return random.pick(likely.length > 0 && random.chance(0.5) ? likely : absent);
}

/** "Is there a ball in the image?", with the wanted answer where the scene allows it. */
export function askExistence(scene: Scene, yes: boolean, random: Random): Question {
  const shape = (yes ? undefined : absentShape(scene, random)) ?? random.pick(shapesOf(scene));
  return ask(scene, { shape }, 'exists', random);
}

/** Whether a shape is there that is not, but is expected, with the answer that the expectation gives: yes. */
export function askExpected(scene: Scene, random: Random): Question | undefined {
  const likely = mostExpected(scene);
  return likely.length > 0 ? ask(scene, { shape: random.pick(likely) }, 'exists', random, true) : undefined;
}

/** Colours in which a present shape is not shown; never a combination that is held out of training. */
function wrongColors(scene: Scene, shape: ShapeName): Color[] {
  return shownColors(shape).filter((color) => !exists(scene, { color, shape }));
}

/** "Is there a red ball in the image?"; the wrong answer has the right shape in another colour, or an absent shape. */
export function askColoredExistence(scene: Scene, yes: boolean, random: Random): Question | undefined {
  const { shape, color } = random.pick(scene.objects);
  if (yes) return ask(scene, { color, shape }, 'exists-color', random);
  const asked = (random.chance(0.5) ? absentShape(scene, random) : undefined) ?? shape;
  const wrong = wrongColors(scene, asked);
  if (wrong.length === 0) return undefined;
  return ask(scene, { color: random.pick(wrong), shape: asked }, 'exists-color', random);
}
