import { TesseraError } from '../base/index.ts';
import { type Recorded, recordedAnswers } from './against.ts';
import { bootstrapRelative, type Change, type Estimate } from './metrics/bootstrap.ts';
import { sumTallies, type Tally } from './metrics/tally.ts';
import { clusters } from './summarise.ts';
import type { AnyTask, Metric, Task } from './tasks/task.ts';

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

/**
 * How scores of a task changed, over runs that were all asked the same questions.
 * @param limit images of the task that were asked about
 * @throws TesseraError `eval/unpaired` where they were not
 */
export async function scoreChanges(
  task: Task,
  measures: readonly { readonly group: string; readonly metric: string }[],
  runs: readonly RecordedChange[],
  limit: number,
): Promise<ScoreChange[]> {
  const items = await task.load(limit);
  const verdictsOf = (recorded: Recorded) => {
    const answers = recordedAnswers(recorded, task, items);
    return new Map([...answers].map(([item, answer]) => [item, item.judge(answer)]));
  };
  const judged = runs.map(({ before, after }) => ({ before: verdictsOf(before), after: verdictsOf(after) }));
  return measures.map(({ group, metric }) => {
    const score = (sum: Tally) => task.score(sum)[metric] ?? Number.NaN;
    const changes = judged.map(
      ({ before, after }): Change => ({
        before: clusters(before, items, group),
        after: clusters(after, items, group),
      }),
    );
    return {
      before: meanOf(changes.map(({ before }) => score(sumTallies(before)))),
      after: meanOf(changes.map(({ after }) => score(sumTallies(after)))),
      relative: bootstrapRelative(changes, score, { seed: 0 }),
    };
  });
}

function meanOf(values: readonly number[]): number | null {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Number.isFinite(mean) ? mean : null;
}
