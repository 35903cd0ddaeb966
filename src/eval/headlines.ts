import type { Evaluation, MetricResult, TaskResult } from './results.ts';
import type { Metric } from './tasks/task.ts';

/** What one group of a task's questions came to by one metric. */
export interface Score {
  readonly task: string;
  readonly group: string;
  readonly metric: Metric;
  readonly result: MetricResult;
}

/** The numbers that short tables show, in the order of tasks, groups and metrics. */
export function headlines({ tasks }: Evaluation): Score[] {
  return tasks.flatMap((task) => scoresOf(task).filter(({ metric }) => metric.headline));
}

/** The one number that stands for each task: the first headline metric of its first group. */
export function keyScores({ tasks }: Evaluation): Score[] {
  return tasks.flatMap((task) => {
    const first = scoresOf(task).find(({ metric }) => metric.headline);
    return first ? [first] : [];
  });
}

/** Every score of a task. */
export function scoresOf({ task, metrics, groups }: TaskResult): Score[] {
  return Object.entries(groups).flatMap(([group, results]) =>
    metrics.flatMap((metric) => {
      const result = results[metric.name];
      return result ? [{ task, group, metric, result }] : [];
    }),
  );
}

/**
 * The headline numbers as nested plain data: `{pope: {random: {accuracy, f1, blind}}, chair: {s, i, ...}, vqa: {...}}`,
 * where `blind` is the first headline metric of the blind run. The group `all` stands at its task's own level.
 */
export function summarise(evaluation: Evaluation): Record<string, Record<string, unknown>> {
  const scores = headlines(evaluation);
  return Object.fromEntries(
    evaluation.tasks.map(({ task, groups }) => {
      const entries = Object.keys(groups).flatMap((group): [string, unknown][] => {
        const values = numbers(scores.filter((score) => score.task === task && score.group === group));
        return group === 'all' ? Object.entries(values) : [[group, values]];
      });
      return [task, Object.fromEntries(entries)];
    }),
  );
}

function numbers(scores: readonly Score[]): Record<string, number | null> {
  const values = Object.fromEntries(scores.map(({ metric, result }) => [metric.name, result.sighted.value]));
  const blind = scores[0]?.result.blind;
  return blind ? { ...values, blind: blind.value } : values;
}
