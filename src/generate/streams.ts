import type { Prompt } from './prompt.ts';
import type { Row } from './row.ts';

/** A prompt that is read beside another: its logits count with a weight, and it hears the same tokens. */
export interface Guide extends Prompt {
  readonly weight: number;
}

/** A prompt under way: what it says goes to a row, and what the row draws goes to it. */
export interface Stream extends Guide {
  readonly row: Row;
  /** Positions that prompt and answer may take. */
  readonly longest: number;
}

/** What streams are made of: a prompt with its guides. */
interface Guided extends Prompt {
  readonly maxTokens: number;
  readonly guides?: readonly Guide[];
}

/** The streams of requests: each request's own, whose weight is what its guides leave of 1, and those of its guides. */
export function openStreams(requests: readonly Guided[], rows: readonly Row[]): Stream[] {
  return requests.flatMap(({ guides = [], maxTokens, ...prompt }, i): Stream[] => {
    const own = { ...prompt, weight: 1 - guides.reduce((sum, { weight }) => sum + weight, 0) };
    return [own, ...guides].map((guide) => ({
      ...guide,
      row: rows[i] as Row,
      longest: guide.ids.length + maxTokens,
    }));
  });
}

/** Where the last token of a stream's answer stands. */
export function lastPositionOf({ ids, row }: Stream): number {
  return ids.length + row.ids.length - 1;
}
