import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asTesseraError } from '../base/index.ts';
import type { Box } from '../data/index.ts';
import { syncFile, writeTextAtomically } from '../files/index.ts';
import type { Estimate } from './metrics/bootstrap.ts';
import type { Curves, Metric, Span } from './tasks/task.ts';

/**
 * A metric with the images seen; with other images shown instead, and the paired difference of the two; of another model,
 * and the paired change from it.
 */
export interface MetricResult {
  readonly sighted: Estimate;
  readonly blind?: Estimate;
  readonly difference?: Estimate;
  readonly against?: Estimate;
  readonly change?: Estimate;
}

/** Distinct questions whose answers became right or wrong against another model's, and the exact sign test of that. */
export interface Flips {
  readonly questions: number;
  readonly better: number;
  readonly worse: number;
  /** Two-sided. */
  readonly p: number;
}

export interface TaskResult {
  readonly task: string;
  readonly describe: string;
  /** Absent for searches, which have no answers to be written. */
  readonly prompt?: string;
  readonly decoding?: { readonly strategy: string; readonly maxTokens: number };
  readonly pictures: number;
  readonly questions: number;
  readonly metrics: readonly Metric[];
  readonly curves?: Curves;
  /** Results by group (a split, an answer type, or `all`) and metric. */
  readonly groups: Readonly<Record<string, Readonly<Record<string, MetricResult>>>>;
  /** Where another model was compared with. */
  readonly flips?: Flips;
}

/** One answer: a line of `predictions.jsonl`. */
export interface ItemRecord {
  readonly task: string;
  readonly run: 'sighted' | 'blind';
  readonly id: string;
  /** The image the question is about, and the one that was shown. */
  readonly picture: string;
  readonly shown: string;
  readonly prompt: string;
  readonly answer: string;
  /** Boxes that the answer spells, in pixels. */
  readonly boxes?: readonly Box[];
  readonly read: string;
  readonly truth: string;
  readonly correct: boolean;
  /** For a description: objects that it names rightly, of those there. */
  readonly covers?: { readonly named: number; readonly of: number };
  readonly invented: readonly Span[];
  /** What the model that this one is compared with answered to the same. */
  readonly against?: Pick<ItemRecord, 'answer' | 'correct' | 'covers' | 'invented'>;
}

/** What was asked, so that no answers to other questions are taken for these. */
export interface EvaluationSettings {
  readonly tasks: readonly string[];
  /** Images of each task; all when absent. */
  readonly limit?: number;
  readonly blind: boolean;
  /** The folder of questions; the tabletop world when absent. */
  readonly data?: string;
  /** What the weights were rounded to; as saved when absent. */
  readonly quantize?: string;
}

/** Everything but the answers: `eval.json`. */
export interface Evaluation {
  readonly model: string;
  /** ISO 8601. */
  readonly date: string;
  /** Version of tessera. */
  readonly version: string;
  readonly seed: number;
  readonly resamples: number;
  readonly settings?: EvaluationSettings;
  readonly tasks: readonly TaskResult[];
  /** The model that this one is compared with, and when it was evaluated. */
  readonly against?: { readonly model: string; readonly date: string; readonly folder: string };
}

export interface Predictions {
  /** Appends a record to `predictions.jsonl.part`. */
  add(record: ItemRecord): void;
  /** Writes `eval.json` and gives the records their name; only now are earlier results replaced. */
  commit(evaluation: Evaluation): void;
  /** Takes the records of an evaluation back that has failed; nothing after `commit`. */
  discard(): void;
}

/**
 * Opens a folder for the results of one evaluation.
 * @throws TesseraError `eval/out` for one that cannot be written in
 */
export function openPredictions(folder: string): Predictions {
  const part = join(folder, 'predictions.jsonl.part');
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(part, '');
  } catch (error) {
    throw asTesseraError(error, { code: 'eval/out', path: folder, expected: 'a folder to write the results in' });
  }
  return {
    add: (record) => appendFileSync(part, `${JSON.stringify(record)}\n`),
    commit: (evaluation) => {
      syncFile(part);
      renameSync(part, join(folder, 'predictions.jsonl'));
      writeTextAtomically(join(folder, 'eval.json'), `${JSON.stringify(evaluation, null, 2)}\n`);
    },
    discard: () => rmSync(part, { force: true }),
  };
}
