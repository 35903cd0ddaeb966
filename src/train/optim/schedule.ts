export type ScheduleName = 'cosine' | 'linear' | 'constant';

export interface Schedule {
  readonly name: ScheduleName;
  /** Steps of linear warm-up from 0. */
  readonly warmup: number;
  readonly total: number;
}

/**
 * The factor on the learning rate at `step` (from 0), as transformers' schedules have it: linear warm-up
 * `step / warmup`, then `(1 + cos(pi t)) / 2` or `1 - t` over the rest of the steps, or 1.
 */
export function scheduleFactor({ name, warmup, total }: Schedule, step: number): number {
  if (step < warmup) return step / Math.max(1, warmup);
  const t = (step - warmup) / Math.max(1, total - warmup);
  if (name === 'cosine') return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * t)));
  if (name === 'linear') return Math.max(0, 1 - t);
  return 1;
}
