import { TesseraError } from '../base/index.ts';
import { type Recorded, recordedAnswers } from './against.ts';
import { bootstrapRelative, type Change, type Estimate } from './metrics/bootstrap.ts';
import { mean, sumTallies, type Tally } from './metrics/tally.ts';
import { clusters } from './summarise.ts';
import type { AnyTask, Item, Metric, Task, Verdict } from './tasks/task.ts';

/** Answers of a model before and after something was done to it. */
export interface RecordedChange {
  readonly before: Recorded;
  readonly after: Recorded;
}

/** A score before and after, each the mean over runs; null where undefined in one of them. */
export interface ScoreChange {
  readonly before: number | null;
  readonly after: number | null;
  /** `(after - before) / before`, its mean over runs, with an interval over images and runs. */
  readonly relative: Estimate;
}

/**
 * The metric of a task, which has the group as well.
 * @throws TesseraError `eval/no-measure`
 */
export function measureIn(task: AnyTask, group: string, name: string): Metric {
  const metric = task.metrics.find((one) => one.name === name);
  if (metric && !('pool' in task) && task.groups.includes(group)) return metric;
  throw new TesseraError({
    code: 'eval/no-measure',
    message: 'the task has no such score, or none that comes from answers',
    path: task.name,
    expected: `a group of ${task.groups.join(', ')} and a metric of ${task.metrics.map((one) => one.name).join(', ')}`,
    got: `${group}/${name}`,
  });
}

/** How scores of a task changed over some runs, one change a measure. */
export type ChangesOf = (
  measures: readonly { readonly group: string; readonly metric: string }[],
  runs: readonly RecordedChange[],
) => Promise<ScoreChange[]>;

/**
 * Opens a task for runs that were all asked the same questions. Each recording is judged once, in however many changes it is.
 * @param limit images of the task that were asked about
 * @returns what throws TesseraError `eval/unpaired` where they were not
 */
export function openChanges(task: Task, limit: number): ChangesOf {
  let loaded: Promise<readonly Item[]> | undefined;
  const judged = new WeakMap<Recorded, ReadonlyMap<Item, Verdict>>();
  const verdictsOf = (recorded: Recorded, items: readonly Item[]) => {
    const known = judged.get(recorded);
    if (known) return known;
    const answers = recordedAnswers(recorded, task, items);
    const verdicts = new Map([...answers].map(([item, answer]) => [item, item.judge(answer)]));
    judged.set(recorded, verdicts);
    return verdicts;
  };
  return async (measures, runs) => {
    loaded ??= Promise.resolve(task.load(limit));
    const items = await loaded;
    return measures.map(({ group, metric }) => {
      const score = (sum: Tally) => task.score(sum)[metric] ?? Number.NaN;
      const changes = runs.map(
        ({ before, after }): Change => ({
          before: clusters(verdictsOf(before, items), items, group),
          after: clusters(verdictsOf(after, items), items, group),
        }),
      );
      return {
        before: meanOf(changes.map(({ before }) => score(sumTallies(before)))),
        after: meanOf(changes.map(({ after }) => score(sumTallies(after)))),
        relative: bootstrapRelative(changes, score, { seed: 0 }),
      };
    });
  };
}

function meanOf(values: readonly number[]): number | null {
  const value = mean(values);
  return Number.isFinite(value) ? value : null;
}
