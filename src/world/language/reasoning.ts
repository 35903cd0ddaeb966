import type { Random } from '../../base/index.ts';
import { colors, shapes } from '../attributes.ts';
import type { Description } from '../predicates.ts';
import { count, larger, select } from '../predicates.ts';
import type { Scene } from '../scene.ts';
import { shapesOf } from '../scene.ts';
import { facts } from './facts.ts';
import { article, numberWord, plural } from './lexicon.ts';
import { bare, capital, counted, definite, leftToRight, list, unique } from './phrase.ts';

/** A question that takes a step of thought, with an answer that shows it. */
export interface Exchange {
  readonly question: string;
  readonly answer: string;
}

type Reasoner = (scene: Scene, random: Random) => Exchange | undefined;

/** "Which object could roll?" from what the world knows about its things. */
const useFact: Reasoner = (scene, random) => {
  const fact = random.pick(facts);
  const question = `Which object could ${fact.can}?`;
  const fitting = leftToRight(scene).filter((object) => fact.shapes.includes(object.shape));
  const names = [...new Set(fitting.map(({ color, shape }) => definite({ color, shape })))];
  if (names.length === 0) {
    const absent = list(fact.shapes.map((shape) => `no ${shape}`));
    return { question, answer: `Nothing here could ${fact.can}, because there is ${absent}.` };
  }
  const why = names.length === 1 ? fact.because : ofMany(fact.because);
  return { question, answer: capital(`${list(names)} could ${fact.can}, because ${why}.`) };
};

/** "they are round" for "it is round". */
const ofMany = (reason: string): string => reason.replace('it is', 'they are').replace('it has', 'they have');

/** "There are four objects and two red objects, so two are left." */
const takeAway: Reasoner = (scene, random) => {
  const color = random.pick(colors.filter((c) => count(scene, { color: c }) > 0));
  const total = scene.objects.length;
  const taken = count(scene, { color });
  const question = `How many are left if I take away the ${color} objects?`;
  const left = total - taken;
  const rest = left === 0 ? 'nothing is left' : `${numberWord(left)} ${left === 1 ? 'is' : 'are'} left`;
  const answer = `There ${total === 1 ? 'is' : 'are'} ${counted({}, total)} and ${counted({ color }, taken)}, so ${rest}.`;
  return { question, answer };
};

/** "Are there more balls than cubes?" */
const compareCounts: Reasoner = (scene, random) => {
  const [a, b] = random.shuffle([...new Set([...shapesOf(scene), random.pick(shapes)])]);
  if (!a || !b) return undefined;
  const first = count(scene, { shape: a });
  const second = count(scene, { shape: b });
  const be = first === 1 || first === 0 ? 'is' : 'are';
  const verdict = first > second ? 'yes' : 'no';
  const said = (shape: Description, number: number): string =>
    number === 0 ? `no ${bare(shape)}` : counted(shape, number);
  const answer = `There ${be} ${said({ shape: a }, first)} and ${said({ shape: b }, second)}, so ${verdict}.`;
  return { question: `Are there more ${plural(a)} than ${plural(b)}?`, answer };
};

/** "Which is larger, the ball or the cube?" */
const compareSizes: Reasoner = (scene, random) => {
  const [a, b] = random.shuffle(scene.objects);
  const first = a && unique(scene, a);
  const second = b && unique(scene, b);
  if (!first || !second) return undefined;
  const truth = larger(a, b);
  if (truth === undefined) return undefined;
  const [big, small] = truth ? [first, second] : [second, first];
  const question = `Which is larger, ${definite(first)} or ${definite(second)}?`;
  return { question, answer: `${capital(definite(big))} is larger than ${definite(small)}.` };
};

/** "Which shape is there most often?" */
const mostFrequent: Reasoner = (scene) => {
  const numbers = shapesOf(scene).map((shape) => select(scene, { shape }).length);
  const most = Math.max(...numbers);
  const winners = shapesOf(scene).filter((_, i) => numbers[i] === most);
  const [shape] = winners;
  if (!shape || winners.length > 1 || most < 2) return undefined;
  const answer = `There are ${counted({ shape }, most)}, so it is the ${shape}.`;
  return { question: 'Which shape is there most often?', answer };
};

const reasoners = [useFact, takeAway, compareCounts, compareSizes, mostFrequent];

/** Different reasoning questions about a scene with their answers; fewer when the scene has no more. */
export function reason(scene: Scene, number: number, random: Random): Exchange[] {
  const found = new Map<string, Exchange>();
  for (let attempt = 0; attempt < number * 10 && found.size < number; attempt++) {
    const exchange = random.pick(reasoners)(scene, random);
    if (exchange && !found.has(exchange.question)) found.set(exchange.question, exchange);
  }
  return [...found.values()];
}

/** The world's facts as plain sentences: "A ball could roll, because it is round." */
export function factSentences(): string[] {
  return facts.flatMap(({ shapes: able, can, because }) =>
    able.map((shape) => `${capital(article(shape))} ${shape} could ${can}, because ${because}.`),
  );
}
