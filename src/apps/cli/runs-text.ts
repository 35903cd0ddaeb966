import { arrow, type Comparison, formatEstimate } from '../../eval/index.ts';
import type { RunSummary } from '../../run/index.ts';
import { command } from './called.ts';
import { duration, figure } from './terminal/progress.ts';
import { sparkline } from './terminal/sparkline.ts';
import { table } from './terminal/table.ts';

/** A table of runs, a line each, and what is wrong with those that cannot be read. */
export function listText(runs: readonly RunSummary[], now: number): string {
  if (runs.length === 0) return `no runs here; start one with: ${command('train <recipe>')}`;
  const tasks = [...new Set(runs.flatMap(({ scores }) => scores.map(({ task }) => task)))];
  const right = (title: string) => ({ title, align: 'right' as const });
  const columns = [
    { title: 'run' },
    { title: 'system' },
    { title: 'status' },
    { title: 'stage' },
    ...['step', 'loss', 'held out', ...tasks.map((task) => scoreTitle(runs, task)), 'training', 'size', 'age'].map(
      right,
    ),
  ];
  const lines = table(
    columns,
    runs.map((run) => [
      run.folder,
      run.system ?? '',
      run.status,
      run.stage ?? '',
      run.step === undefined ? '' : `${run.step}${run.steps === undefined ? '' : `/${run.steps}`}`,
      run.loss === undefined ? '' : figure(run.loss),
      run.heldOutLoss === undefined ? '' : figure(run.heldOutLoss),
      ...tasks.map((task) => run.scores.find((score) => score.task === task)?.value?.toFixed(3) ?? ''),
      run.seconds === 0 ? '' : duration(run.seconds),
      size(run.bytes),
      age((now - Date.parse(run.updated)) / 1000),
    ]),
  );
  const faults = runs.flatMap(({ folder, fault }) => (fault === undefined ? [] : [`${folder}: ${fault}`]));
  return [lines, ...faults].join('\n');
}

/** `pope random accuracy ↑`: what the column holds. */
function scoreTitle(runs: readonly RunSummary[], task: string): string {
  const score = runs.flatMap(({ scores }) => scores).find((candidate) => candidate.task === task);
  if (!score) return task;
  const named = score.metric.toLowerCase().startsWith(task.toLowerCase());
  const words = [named ? '' : task, score.group === 'all' ? '' : score.group, score.metric];
  return `${words.filter(Boolean).join(' ')}${arrow(score)}`;
}

function size(bytes: number): string {
  const mebibytes = bytes / 2 ** 20;
  return mebibytes < 1024 ? `${mebibytes.toFixed(1)} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`;
}

function age(seconds: number): string {
  const units: readonly [number, string][] = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'min'],
  ];
  const [length, unit] = units.find(([span]) => seconds >= span) ?? [1, 's'];
  return `${Math.max(0, Math.floor(seconds / length))} ${unit}`;
}

/** Settings that differ, scores and loss curves of runs side by side. */
export function comparisonText({ runs, settings, scores, curves }: Comparison): string {
  const names = runs.map(({ name }) => name);
  const columns = [{ title: 'setting' }, ...names.map((title) => ({ title }))];
  const different = settings.map(({ key, values }) => [key, ...values.map((value) => value ?? '–')]);
  const reached = scores.map(({ task, group, metric, estimates }) => [
    task,
    group,
    metric.label,
    ...estimates.map((estimate) => formatEstimate(estimate, metric)),
  ]);
  return [
    different.length > 0 ? table(columns, different) : 'all settings are the same',
    ...(reached.length > 0
      ? [
          table(
            ['task', 'group', 'metric', ...names].map((title) => ({ title })),
            reached,
          ),
        ]
      : [`no run was evaluated; do it with: ${command('eval <run>')}`]),
    ...curves.map((curve) => curveText(curve, names)),
  ].join('\n\n');
}

/** Sparklines of one stage, on one scale; a logarithmic one, for the first steps are far above all others. */
function curveText({ stage, runs }: Comparison['curves'][number], names: readonly string[]): string {
  const losses = runs.flatMap(({ loss }) => loss.map(({ y }) => y));
  const scale = losses.every((loss) => loss > 0) ? Math.log : (loss: number) => loss;
  const range = [scale(Math.min(...losses)), scale(Math.max(...losses))] as const;
  const rows = runs.flatMap(({ loss, heldOut }, i) => {
    const [first, last, held] = [loss[0], loss.at(-1), heldOut.at(-1)];
    if (!first || !last) return [];
    const curve = sparkline(
      loss.map(({ y }) => scale(y)),
      40,
      range,
    );
    return [[names[i] ?? '', curve, figure(first.y), figure(last.y), held ? figure(held.y) : '', `${last.x}`]];
  });
  const right = (title: string) => ({ title, align: 'right' as const });
  return table(
    [{ title: `stage ${stage}` }, { title: 'loss' }, ...['first', 'last', 'held out', 'steps'].map(right)],
    rows,
  );
}
