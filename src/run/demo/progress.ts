import type { Plan } from '../../recipe/index.ts';
import type { Hooks, Progress } from '../types.ts';

/** Steps of the stages before one; a stage that counts in epochs has none. */
export function stepsBefore({ stages }: Plan, stage: number): number {
  return stages.slice(0, stage).reduce((n, { train: { length } }) => n + ('steps' in length ? length.steps : 0), 0);
}

/**
 * Progress in which the steps of all stages are one training, so that its time is told to the end of the last. What makes
 * data ready is told while it lasts, and leaves no line.
 */
export function wholeProgress(plan: Plan, hooks: Hooks): (progress: Progress) => void {
  const total = stepsBefore(plan, plan.stages.length);
  const counted = plan.stages.every(({ train: { length } }) => 'steps' in length);
  return (progress) => {
    const at = plan.stages.findIndex(({ name }) => progress.label === `stage ${name}`);
    const ready = progress.done >= progress.total && ['scenes', 'rows'].includes(progress.unit ?? '');
    if (ready) return;
    if (at < 0 || !counted) return hooks.progress(progress);
    const { loss } = progress.numbers;
    const numbers = { ...(loss !== undefined && { loss }) };
    hooks.progress({ label: 'training', done: stepsBefore(plan, at) + progress.done, total, numbers });
  };
}

/** On two cores without other work: a step of the tiny model, and what stands around the steps. */
const SECONDS = { show: 10, step: 0.7, rows: 25, measure: 45 };

/** About how long each act takes on two cores. */
export function actSeconds(plan: Plan): readonly [number, number, number] {
  return [SECONDS.show, SECONDS.rows + SECONDS.step * stepsBefore(plan, plan.stages.length), SECONDS.measure];
}
