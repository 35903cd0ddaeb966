import type { Outcome } from '../data/index.ts';

/** What the answers of a question are judged for, as in VLFeedback (Li et al. 2023). */
export const aspects = {
  helpfulness: 'how well the answer does what was asked',
  visual_faithfulness: 'how far everything that the answer says is in the image, with nothing invented',
  ethical_considerations: 'how free the answer is of what is harmful, private or unfair',
} as const;

export type Aspect = keyof typeof aspects;

/** A rating from 1 to 5 for each aspect that the judge rated. */
export type Ratings = { readonly [A in Aspect]?: number };

/** Characters `start` up to `end` of an answer that are wrong, and what is right in their place. */
export interface Correction {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** A question about an image. */
export interface Asked {
  /** Unique in its pair set. */
  readonly id: string;
  /** The path of the image file, or a `data:` URI. */
  readonly image: string;
  readonly question: string;
}

export interface AskedForRatings extends Asked {
  readonly answers: readonly string[];
}

export interface AskedForCorrections extends Asked {
  readonly answer: string;
}

/**
 * Says what answers are worth. What it cannot say of one item is refused with the reason and counted; a judge that cannot
 * be asked at all throws, and nothing of what it was asked is lost.
 */
export interface Judge {
  readonly name: string;
  /** For each item the ratings of its answers, in their order; an answer that got none is refused by itself. */
  rate(items: readonly AskedForRatings[], signal: AbortSignal): Promise<Outcome<readonly Outcome<Ratings>[]>[]>;
  /** For each item what is wrong in its answer, in the order of the text and without overlap; nothing where all is right. */
  correct(items: readonly AskedForCorrections[], signal: AbortSignal): Promise<Outcome<readonly Correction[]>[]>;
  close(): Promise<void>;
}
