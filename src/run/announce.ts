import { isLoraPart } from '../nn/index.ts';
import type { StagePlan } from '../recipe/index.ts';
import type { Batch, StepRecord } from '../train/index.ts';
import { parameterCount } from './own.ts';
import type { PreparedStage } from './prepare.ts';
import type { StageData } from './rows.ts';
import type { Hooks } from './types.ts';

/** Numbers of a step that are worth seeing. */
export function shown(record: StepRecord): Record<string, number> {
  return { loss: record.loss, lr: record.lr, grad_norm: record.grad_norm, ...record.metrics };
}

/** What a step took of the machine. It is never the same twice, so it stays out of metrics.jsonl. */
export function machine(speed: number | undefined): Record<string, number> {
  const resident_gib = process.memoryUsage.rss() / 2 ** 30;
  return { ...(speed !== undefined && { tokens_per_second: speed }), resident_gib };
}

/** Tokens a second over the last seconds; undefined at the first step. */
export function rates(): (used: readonly Batch[]) => number | undefined {
  const recent: { at: number; tokens: number }[] = [];
  return (used) => {
    const now = performance.now();
    recent.push({ at: now, tokens: used.reduce((n, batch) => n + batch.tokens, 0) });
    while (recent.length > 2 && now - (recent[0]?.at as number) > 5000) recent.shift();
    const seconds = (now - (recent[0]?.at as number)) / 1000;
    if (seconds === 0) return undefined;
    return Math.round(recent.slice(1).reduce((n, step) => n + step.tokens, 0) / seconds);
  };
}

/** Says what is about to be trained, with names and counts. */
export function announce(
  stage: StagePlan,
  { loaded, trainable, settings, used }: PreparedStage,
  { samples, report }: StageData,
  hooks: Hooks,
): void {
  const groups = new Map<string, number>();
  let trained = 0;
  for (const [path, { data }] of loaded.store.tensors) {
    if (!trainable(path)) continue;
    trained += data.length;
    const group = isLoraPart(path) ? 'adapters' : path.split('.').slice(0, 2).join('.');
    groups.set(group, (groups.get(group) ?? 0) + data.length);
  }
  const parts = [...groups].map(([group, count]) => `${group} ${count.toLocaleString('en')}`).join(', ');
  const some = used.size < samples.length ? `${used.size} of ` : '';
  const rows = `${some}${samples.length} rows${report.rejected > 0 ? ` (${report.rejected} refused)` : ''}`;
  const { steps } = settings;
  hooks.log.info(`stage ${stage.name}: ${steps} ${steps === 1 ? 'step' : 'steps'} over ${rows}`);
  const { batch, accumulate } = stage.train;
  if (accumulate > 1 && samples.length < batch * accumulate) {
    hooks.log.info(
      `  a step takes all ${samples.length} rows, and not the ${batch * accumulate} that batch ${batch} x accumulate ${accumulate} ask for`,
    );
  }
  hooks.log.info(
    `  trains ${trained.toLocaleString('en')} of ${parameterCount(loaded).toLocaleString('en')} parameters: ${parts}`,
  );
}
