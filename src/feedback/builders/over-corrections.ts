import type { Outcome } from '../../data/index.ts';
import type { AskedForCorrections, Correction, Judge } from '../judge.ts';
import { type Answered, type Built, type Pair, refused } from './builder.ts';

/** Makes the two sides of a pair of an answer and what is wrong in it; `id` is for messages. */
export type PairOf = (answer: string, corrections: readonly Correction[], id: string) => Outcome<Omit<Pair, 'of'>>;

interface Item extends AskedForCorrections {
  readonly of: Answered;
  readonly at: number;
}

/** Has every answer corrected; each is a candidate. */
export async function overCorrections(
  judge: Judge,
  questions: readonly Answered[],
  signal: AbortSignal,
  pairOf: PairOf,
): Promise<readonly Built[]> {
  const items = questions.flatMap(itemsOf);
  const found = await judge.correct(items, signal);
  const outcomes = new Map(items.map((item, i) => [item, found[i] as Outcome<readonly Correction[]>]));
  return questions.map((question) => built(question, items, outcomes, pairOf));
}

function itemsOf(question: Answered): Item[] {
  const { id, image, question: words, answers } = question;
  return answers.flatMap((answer, at) =>
    'kept' in answer
      ? [{ id: `${id} answer ${at + 1}`, image, question: words, answer: answer.kept, of: question, at }]
      : [],
  );
}

function built(
  question: Answered,
  items: readonly Item[],
  outcomes: ReadonlyMap<Item, Outcome<readonly Correction[]>>,
  pairOf: PairOf,
): Built {
  const own = new Map(items.filter(({ of }) => of === question).map((item) => [item.at, item]));
  const findings = question.answers.map((_, at) => {
    const item = own.get(at);
    const outcome = item && outcomes.get(item);
    return outcome && 'kept' in outcome ? outcome.kept : null;
  });
  const candidates = question.answers.map((answer, at): Outcome<Pair> => {
    if ('refused' in answer) return answer;
    const { id } = own.get(at) as Item;
    const outcome = outcomes.get(own.get(at) as Item) as Outcome<readonly Correction[]>;
    if ('refused' in outcome) return outcome;
    const sides = outcome.kept.length === 0 ? nothingWrong(id) : pairOf(answer.kept, outcome.kept, id);
    return 'refused' in sides ? sides : { kept: { of: [at], ...sides.kept } };
  });
  return { candidates, findings };
}

export function nothingWrong(path: string) {
  return refused('nothing-wrong', 'the judge finds nothing wrong in the answer', path);
}
