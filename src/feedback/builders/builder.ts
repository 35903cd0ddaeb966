import type { Fault } from '../../base/index.ts';
import type { Outcome } from '../../data/index.ts';
import type { Asked, Judge } from '../judge.ts';

/** A question with what a model answered; an answer that cannot be used is refused before anybody judges it. */
export interface Answered extends Asked {
  readonly answers: readonly Outcome<string>[];
}

/** Where two phrases stand, one in the place of the other: characters from the first up to the second. */
export interface PhrasePlaces {
  readonly chosen: readonly [start: number, end: number];
  readonly rejected: readonly [start: number, end: number];
}

export interface Pair {
  /** Which of the question's answers it is made of. */
  readonly of: readonly number[];
  readonly chosen: string;
  readonly rejected: string;
  /** The phrases in which the answers differ, where the builder tells them, in the order of the text. */
  readonly phrases?: readonly PhrasePlaces[];
}

/** What became of a question: each of its candidates is a pair, or refused with one reason. */
export interface Built {
  readonly candidates: readonly Outcome<Pair>[];
  /** What the judge found of each answer, as data; null where it found nothing. */
  readonly findings: readonly unknown[];
  /** The answers that are right as they are, where the builder tells them: what is to stay as likely beside phrases. */
  readonly right?: readonly number[];
}

/** A way to make pairs of answers. */
export interface Builder {
  readonly says: string;
  /** Fewest answers to a question. */
  readonly answers: number;
  build(judge: Judge, questions: readonly Answered[], signal: AbortSignal): Promise<readonly Built[]>;
}

export function refused(code: string, message: string, path: string, got?: string): { readonly refused: Fault } {
  return { refused: { code: `feedback/${code}`, message, path, ...(got !== undefined && { got }) } };
}
