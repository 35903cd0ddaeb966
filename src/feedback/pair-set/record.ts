import type { Fault } from '../../base/index.ts';
import type { Outcome } from '../../data/index.ts';
import type { Scene } from '../../world/index.ts';
import type { Answered, Built, Pair } from '../builders/builder.ts';
import { type Reading, readAnswer } from '../scenes/statements.ts';

/** What an answer says of its scene, where that is known. */
export interface Truth {
  readonly statements: number;
  readonly false: number;
  /** Objects that are named rightly, of those there. */
  readonly covered: number;
  readonly objects: number;
  readonly sentences: number;
  /** Sentences that make no claim which can be read. */
  readonly unread: number;
}

/** A question and all that became of it: a line of `answers.jsonl`. */
export interface QuestionRecord {
  readonly id: string;
  /** The name of its file among the images, or a `data:` URI. */
  readonly image: string;
  readonly question: string;
  readonly answers: readonly {
    readonly text: string;
    readonly refused?: string;
    readonly finding: unknown;
    readonly truth?: Truth;
  }[];
  readonly candidates: readonly CandidateRecord[];
  /** The answers that are right as they are, where the builder tells them. */
  readonly right?: readonly number[];
}

export type CandidateRecord =
  | {
      readonly pair: Pair & { readonly id: string };
      readonly truth?: { readonly chosen: Truth; readonly rejected: Truth };
    }
  | { readonly refused: Fault };

/** A question with its answers, and the texts of those that were refused. */
export interface Sampled extends Answered {
  readonly texts: readonly string[];
}

/** The record of a question. @param scene what its image shows, where that is known */
export function recordOf(question: Sampled, image: string, built: Built, scene: Scene | undefined): QuestionRecord {
  const truth = (text: string) => (scene ? { truth: truthOf(readAnswer(text, scene)) } : {});
  return {
    id: question.id,
    image,
    question: question.question,
    answers: question.answers.map((answer, i) => {
      const text = question.texts[i] as string;
      const refused = 'refused' in answer ? { refused: answer.refused.code } : {};
      return { text, ...refused, finding: built.findings[i] ?? null, ...truth(text) };
    }),
    candidates: built.candidates.map((candidate) => candidateOf(question.id, candidate, scene)),
    ...(built.right && { right: built.right }),
  };
}

function candidateOf(id: string, candidate: Outcome<Pair>, scene: Scene | undefined): CandidateRecord {
  if ('refused' in candidate) return candidate;
  const { of, chosen, rejected } = candidate.kept;
  const pair = { id: [id, ...of.map((at) => at + 1)].join('-'), ...candidate.kept };
  if (!scene) return { pair };
  const [a, b] = [chosen, rejected].map((text) => truthOf(readAnswer(text, scene))) as [Truth, Truth];
  return { pair, truth: { chosen: a, rejected: b } };
}

function truthOf({ statements, covered, objects, sentences }: Reading): Truth {
  return {
    statements: statements.length,
    false: statements.filter((statement) => !statement.true).length,
    covered,
    objects,
    sentences: sentences.length,
    unread: sentences.filter(({ read }) => !read).length,
  };
}
