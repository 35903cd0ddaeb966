import type { Plan, StagePlan } from '../../recipe/index.ts';
import type { StageMemory } from '../../run/index.ts';
import { duration } from './terminal/progress.ts';
import { outputWidth, table, wrap } from './terminal/table.ts';

/** What a plan trains, a line a stage. */
export function planText(plan: Plan): string {
  const rows = plan.stages.map((stage) => [
    stage.name,
    stage.objective,
    length(stage),
    `${stage.train.batch * stage.train.accumulate}`,
    `${stage.train.lr}`,
    stage.lora ? `rank ${stage.lora.r}` : '',
    inForce(stage.trainable).join(' '),
  ]);
  const titles = ['stage', 'objective', 'length', 'batch', 'lr', 'adapters', 'trainable'];
  return `${plan.system} -> ${plan.output.folder}\n\n${table(
    titles.map((title) => ({ title })),
    rows,
  )}`;
}

function length({ train }: StagePlan): string {
  const [count, unit] = 'steps' in train.length ? [train.length.steps, 'step'] : [train.length.epochs, 'epoch'];
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** Patterns without those that a later one takes back. */
function inForce(patterns: readonly string[]): readonly string[] {
  const kept = patterns.filter((pattern, i) => !patterns.slice(i + 1).includes(`!${pattern}`));
  return kept.filter((pattern) => !pattern.startsWith('!') || kept.some((other) => overlaps(other, pattern.slice(1))));
}

/** Whether a pattern may hold some of what another takes back: they agree up to the first star. */
function overlaps(held: string, back: string): boolean {
  if (held.startsWith('!')) return false;
  const [a, b] = [held, back].map((pattern) => pattern.replace(/\*.*$/, '')) as [string, string];
  return a.startsWith(b) || b.startsWith(a);
}

/** What the steps of a stage take, and how it is known. */
export function timeText({ time }: StageMemory): string {
  if (!time) return '  time  not measured: the stage needs more memory than there is';
  const { steps, perStep, timed, bound } = time;
  const one = `${Number(perStep.toPrecision(2))} s a step`;
  const all = steps === undefined ? one : `${duration(perStep * steps)} for ${steps} steps, ${one}`;
  const from = timed === 0 ? 'the first was given up' : `timed here and now on ${timed}`;
  const texts = [`${bound} ${all} (${from});`, 'reading all rows and evaluating come on top'];
  const lines = texts.flatMap((text) => wrap(text, outputWidth() - 8));
  return `  time  ${lines.join(`\n${' '.repeat(8)}`)}`;
}
