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

/** A question about an image with its answer, which is shown in front of another question. */
export interface Shot {
  /** Path of the image file. */
  readonly image: string;
  readonly prompt: string;
  readonly answer: string;
}

/** Shots whose images are most like that of the question, the most like last (RICES). */
export interface NearestShots {
  readonly among: readonly Shot[];
  readonly count: number;
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
  /** Shown in front of it. */
  readonly shots?: readonly Shot[] | NearestShots;
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

/** A metric that is a share. @param headline whether short tables show it */
export function shareMetric(
  name: string,
  label: string,
  describe: string,
  better: Metric['better'],
  headline = false,
): Metric {
  return { name, label, describe, unit: 'share', better, headline };
}

/** A metric over something that groups have different numbers of, such as shots. */
export interface Curves {
  readonly metric: string;
  readonly over: string;
  readonly series: readonly { readonly name: string; readonly points: readonly { at: number; group: string }[] }[];
}

/** What is reported of a benchmark, whatever it asks: metrics of the summed counts of its verdicts. */
export interface Benchmark {
  readonly name: string;
  readonly describe: string;
  /** Groups in the order they are reported; `all` holds every item. */
  readonly groups: readonly string[];
  readonly metrics: readonly Metric[];
  /** Groups that are points of curves. */
  readonly curves?: Curves;
  score(sum: Tally): Readonly<Record<string, number>>;
}

/** A benchmark of questions. */
export interface Task extends Benchmark {
  /** The prompt with `{...}` where items differ. */
  readonly prompt: string;
  readonly maxTokens: number;
  /** Its answers are images: for prompts, which show none, or of each item's image as it is painted again. */
  readonly draws?: 'prompt' | 'image';
  /** @param limit number of images, the first in file order; all of them when absent. */
  load(limit?: number): Promise<readonly Item[]>;
}

/** Images and texts that are searched, each by its place. */
export interface Pool {
  /** Paths. */
  readonly images: readonly string[];
  readonly texts: readonly string[];
}

/** Places of what was found, the best first: by contrast, and as a matching head ranks it where there is one. */
export interface PoolRanking {
  readonly contrast: readonly number[];
  readonly rematched?: readonly number[];
}

/** One search: the images for a text, or the texts for an image. */
export interface SearchItem {
  readonly id: string;
  /** Path of an image that belongs to it; what one image has to do with stands or falls together. */
  readonly image: string;
  readonly prompt: string;
  /** What belongs to it, for a reader. */
  readonly truth: string;
  readonly by: { readonly text: number } | { readonly image: number };
  judge(ranking: PoolRanking): Verdict;
}

/** A benchmark of searches in a pool. */
export interface SearchTask extends Benchmark {
  /** @param limit number of images, the first in file order; all of them when absent. */
  pool(limit?: number): Promise<{ readonly pool: Pool; readonly items: readonly SearchItem[] }>;
}

export type AnyTask = Task | SearchTask;

/** The items about the first `limit` images. */
export function firstImages<T>(items: readonly T[], image: (item: T) => string, limit?: number): readonly T[] {
  if (limit === undefined) return items;
  const kept = new Set([...new Set(items.map(image))].slice(0, limit));
  return items.filter((item) => kept.has(image(item)));
}
