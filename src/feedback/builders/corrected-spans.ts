import type { Outcome } from '../../data/index.ts';
import { corrected } from '../corrections.ts';
import type { AskedForCorrections, Correction } from '../judge.ts';
import { type Answered, type Builder, type Built, type Pair, refused } from './builder.ts';

/** An answer and the same with its wrong spans put right (Yu et al. 2023, RLHF-V): each answer is a candidate. */
export const correctedSpans: Builder = {
  says: 'an answer, and the same with what is wrong in it put right (RLHF-V)',
  answers: 1,
  async build(judge, questions, signal) {
    const items = questions.flatMap(itemsOf);
    const found = await judge.correct(items, signal);
    const outcomes = new Map(items.map((item, i) => [item, found[i] as Outcome<readonly Correction[]>]));
    return questions.map((question) => built(question, items, outcomes));
  },
};

interface Item extends AskedForCorrections {
  readonly of: Answered;
  readonly at: number;
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
): Built {
  const own = new Map(items.filter(({ of }) => of === question).map((item) => [item.at, item]));
  const findings = question.answers.map((_, at) => {
    const item = own.get(at);
    const outcome = item && outcomes.get(item);
    return outcome && 'kept' in outcome ? outcome.kept : null;
  });
  const candidates = question.answers.map((answer, at): Outcome<Pair> => {
    if ('refused' in answer) return answer;
    const item = own.get(at) as Item;
    const outcome = outcomes.get(item) as Outcome<readonly Correction[]>;
    return 'refused' in outcome ? outcome : pairOf(answer.kept, outcome.kept, item);
  });
  return { candidates, findings };
}

function pairOf(answer: string, corrections: readonly Correction[], { id, at }: Item): Outcome<Pair> {
  const right = corrected(answer, corrections).trim();
  if (right === answer.trim()) return refused('nothing-wrong', 'the judge finds nothing wrong in the answer', id);
  if (right === '') return refused('nothing-left', 'nothing of the answer is right', id, JSON.stringify(answer));
  return { kept: { of: [at], chosen: right, rejected: answer } };
}
