import type { Answer } from '../../data/index.ts';
import type { Tally } from '../metrics/tally.ts';

/** Part of an answer that says what is not so: characters `start` up to, not including, `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** What an answer came to. */
export interface Verdict {
  /** Every claim of the answer holds, as far as the task can tell. */
  readonly correct: boolean;
  /** For a description: objects that it names rightly, of those there. */
  readonly covers?: { readonly named: number; readonly of: number };
  /** The answer as the metric read it. */
  readonly read: string;
  /** Counts for each group the item belongs to: a split, an answer type, or `all`. */
  readonly tallies: Readonly<Record<string, Tally>>;
  readonly invented: readonly Span[];
}

/** One question about one image, which knows how to judge an answer. */
export interface Item {
  /** Unique in its task. */
  readonly id: string;
  /** Path of the image file. */
  readonly image: string;
  /** The text that is sent, before the chat template. */
  readonly prompt: string;
  /** What is really there, for a reader. */
  readonly truth: string;
  judge(answer: Answer): Verdict;
}

export interface Metric {
  readonly name: string;
  readonly label: string;
  readonly describe: string;
  readonly unit: 'share' | 'words';
  /** Which way is better, or `neither` for what only describes. */
  readonly better: 'high' | 'low' | 'neither';
  /** Shown in short tables. */
  readonly headline: boolean;
}

/** A benchmark: items, and metrics of the summed counts of their verdicts. */
export interface Task {
  readonly name: string;
  readonly describe: string;
  /** The prompt with `{...}` where items differ. */
  readonly prompt: string;
  readonly maxTokens: number;
  /** Groups in the order they are reported; `all` holds every item. */
  readonly groups: readonly string[];
  readonly metrics: readonly Metric[];
  /** @param limit number of images, the first in file order; all of them when absent. */
  load(limit?: number): Promise<readonly Item[]>;
  score(sum: Tally): Readonly<Record<string, number>>;
}

/** The items about the first `limit` images. */
export function firstImages<T>(items: readonly T[], image: (item: T) => string, limit?: number): readonly T[] {
  if (limit === undefined) return items;
  const kept = new Set([...new Set(items.map(image))].slice(0, limit));
  return items.filter((item) => kept.has(image(item)));
}
