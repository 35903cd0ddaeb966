import { headlines, scoresOf } from './headlines.ts';
import type { Estimate } from './metrics/bootstrap.ts';
import type { Evaluation, Flips, MetricResult } from './results.ts';
import type { Metric } from './tasks/task.ts';

/**
 * The scores as plain text tables for terminals: one line a group and headline metric, or every metric on request.
 * Without a blind run its columns are left out. With another model a second table has its scores and the change, and lines
 * below say how many answers changed.
 */
export function formatScores(evaluation: Evaluation, { all = false }: { readonly all?: boolean } = {}): string {
  const scores = all ? evaluation.tasks.flatMap(scoresOf) : headlines(evaluation);
  const blind = scores.some(({ result }) => result.blind);
  const rows = scores.map(({ task, group, metric, result }) => [
    task,
    group,
    `${metric.label}${arrow(metric)}`,
    formatValue(result.sighted.value, metric),
    formatInterval(result.sighted, metric),
    ...(blind ? [formatValue(result.blind?.value ?? null, metric), formatDifference(result.difference, metric)] : []),
  ]);
  const head = ['task', 'group', 'metric', 'score', '95% interval', ...(blind ? ['blind', 'difference'] : [])];
  const changes = scores.map(({ task, group, metric, result }) => [
    task,
    group,
    `${metric.label}${arrow(metric)}`,
    ...changeCells(result, metric),
  ]);
  const changeHead = ['task', 'group', 'metric', 'against', 'change', '95% interval'];
  const against = evaluation.against ? [layOut([changeHead, ...changes]), changedAnswers(evaluation)] : [];
  return [layOut([head, ...rows]), ...against].join('\n\n');
}

function changeCells({ against, change }: MetricResult, metric: Metric): string[] {
  const interval = change ? formatInterval(change, metric).replaceAll('-', '−') : '–';
  return [formatValue(against?.value ?? null, metric), formatDifference(change, metric), interval];
}

function changedAnswers({ against, tasks }: Evaluation): string {
  const lines = tasks.flatMap(({ task, flips }) => (flips ? [`${task}: ${formatFlips(flips)}`] : []));
  return [`against ${against?.model} (${against?.folder}, ${against?.date.slice(0, 10)})`, ...lines].join('\n');
}

/** `12 became right, 5 wrong, of 900 (exact sign test: p = 0.14)`. */
export function formatFlips({ better, worse, questions, p }: Flips): string {
  return `${better} became right, ${worse} wrong, of ${questions} (exact sign test: p ${p < 0.001 ? '< 0.001' : `= ${p.toPrecision(2)}`})`;
}

/** Which way is better. */
export function arrow({ better }: Pick<Metric, 'better'>): string {
  return { high: ' ↑', low: ' ↓', neither: '' }[better];
}

/** Three decimals for shares, one for words; a dash where undefined. */
export function formatValue(value: number | null, { unit }: Metric): string {
  return value === null ? '–' : fixed(value, unit === 'share' ? 3 : 1);
}

/** A number with so many decimals; no nought below nought. */
export function fixed(value: number, decimals: number): string {
  const text = value.toFixed(decimals);
  return Number(text) === 0 ? text.replace('-', '') : text;
}

export function formatInterval({ low, high }: Estimate, metric: Metric): string {
  return low === null ? '–' : `${formatValue(low, metric)} … ${formatValue(high, metric)}`;
}

/** `0.842 (0.811 … 0.870)`; a dash where nothing was measured. */
export function formatEstimate(estimate: Estimate | null, metric: Metric): string {
  if (!estimate || estimate.value === null) return '–';
  return `${formatValue(estimate.value, metric)} (${formatInterval(estimate, metric)})`;
}

export function formatDifference(difference: Estimate | undefined, metric: Metric): string {
  const value = difference?.value ?? null;
  return value !== null && value > 0 ? `+${formatValue(value, metric)}` : formatValue(value, metric).replace('-', '−');
}

/** Names to the left, numbers to the right. */
function layOut(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  const pad = (cell: string, i: number) =>
    i < 3 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number);
  const [head, ...body] = rows.map((row) => row.map(pad).join('  ').trimEnd());
  return [head, widths.map((width) => '─'.repeat(width)).join('  '), ...body].join('\n');
}
