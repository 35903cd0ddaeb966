import type { Outcome } from '../../data/index.ts';
import type { Ratings } from '../judge.ts';
import { type Answered, type Builder, type Pair, refused } from './builder.ts';

type Rated = Outcome<readonly Outcome<Ratings>[]>;

/**
 * Several answers to a question, each rated for its aspects; of every two of them the one with the higher mean rating is
 * preferred, and ties are dropped (Li et al. 2023, Silkie). Every two answers are a candidate.
 */
export const aspectScores: Builder = {
  says: 'of every two answers to a question the one with the higher mean rating (Silkie)',
  answers: 2,
  async build(judge, questions, signal) {
    const asked = questions.filter((question) => usable(question).length > 1);
    const items = asked.map((question) => ({
      id: question.id,
      image: question.image,
      question: question.question,
      answers: usable(question).map(({ text }) => text),
    }));
    const rated = await judge.rate(items, signal);
    const ratings = new Map(asked.map((question, i) => [question, spread(question, rated[i] as Rated)]));
    return questions.map((question) => {
      const all = ratings.get(question) ?? question.answers.map((answer) => alone(question, answer));
      return {
        candidates: candidatesOf(question, all),
        findings: all.map((one) => ('kept' in one ? one.kept : null)),
      };
    });
  },
};

function usable({ answers }: Answered): { text: string; at: number }[] {
  return answers.flatMap((answer, at) => ('kept' in answer ? [{ text: answer.kept, at }] : []));
}

/** The ratings of every answer of a question, by the places of those that were rated. */
function spread(question: Answered, rated: Rated): Outcome<Ratings>[] {
  const places = usable(question).map(({ at }) => at);
  return question.answers.map((answer, at) => {
    if ('refused' in answer) return answer;
    return 'refused' in rated ? rated : (rated.kept[places.indexOf(at)] as Outcome<Ratings>);
  });
}

function alone({ id }: Answered, answer: Outcome<string>): Outcome<Ratings> {
  return 'refused' in answer ? answer : refused('one-answer', 'there is no second answer to hold this one against', id);
}

function candidatesOf({ id, answers }: Answered, ratings: readonly Outcome<Ratings>[]): Outcome<Pair>[] {
  return answers.flatMap((_, i) =>
    answers
      .slice(i + 1)
      .map((_, k) => pairOf(`${id} answers ${i + 1} and ${i + k + 2}`, answers, ratings, i, i + k + 1)),
  );
}

function pairOf(
  path: string,
  answers: readonly Outcome<string>[],
  ratings: readonly Outcome<Ratings>[],
  i: number,
  j: number,
): Outcome<Pair> {
  const [a, b] = [ratings[i], ratings[j]] as [Outcome<Ratings>, Outcome<Ratings>];
  if ('refused' in a) return a;
  if ('refused' in b) return b;
  const difference = meanOf(a.kept) - meanOf(b.kept);
  if (Math.abs(difference) < 1e-9) return refused('tie', 'two answers have the same mean rating', path);
  const [one, other] = [answers[i], answers[j]].map((answer) => (answer as { kept: string }).kept) as [string, string];
  return {
    kept: { of: [i, j], ...(difference > 0 ? { chosen: one, rejected: other } : { chosen: other, rejected: one }) },
  };
}

/** The mean of the aspects that were rated. */
function meanOf(ratings: Ratings): number {
  const values = Object.values(ratings).filter((value) => value !== undefined);
  return values.reduce((a, b) => a + b, 0) / values.length;
}
