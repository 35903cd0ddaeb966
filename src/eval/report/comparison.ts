import { arrow, formatInterval, formatValue } from '../format-scores.ts';
import type { Estimate } from '../metrics/bootstrap.ts';
import type { Metric } from '../tasks/task.ts';
import type { Point } from './chart.ts';
import { chart, runningMean, seriesClass } from './chart.ts';
import { lossAxes, noLoss } from './curves.ts';
import type { Html } from './html.ts';
import { html, nothing } from './html.ts';
import { page, pageHeader, writePage } from './page.ts';

export interface ComparedRun {
  readonly name: string;
  readonly folder: string;
  readonly system: string;
  readonly status: string;
  /** Spent in training. */
  readonly seconds: number;
  readonly bytes: number;
}

/** How the loss of a stage fell, by run; empty lists for a run without the stage. */
export interface StageCurves {
  readonly stage: string;
  readonly runs: readonly { readonly loss: readonly Point[]; readonly heldOut: readonly Point[] }[];
}

/** Runs side by side; every list of values has the order of `runs`. */
export interface Comparison {
  readonly runs: readonly ComparedRun[];
  /** Settings that are not the same in all; null where a run has no such setting. */
  readonly settings: readonly { readonly key: string; readonly values: readonly (string | null)[] }[];
  /** Headline scores; null where a run was not asked. */
  readonly scores: readonly {
    readonly task: string;
    readonly group: string;
    readonly metric: Metric;
    readonly estimates: readonly (Estimate | null)[];
  }[];
  readonly curves: readonly StageCurves[];
}

/**
 * Writes a comparison as one HTML file that needs no network and runs no script.
 * @returns its path.
 */
export function writeComparison(path: string, comparison: Comparison): string {
  const { runs } = comparison;
  const title = runs.length <= 3 ? runs.map(({ name }) => name).join(' · ') : `${runs.length} runs`;
  const systems = [...new Set(runs.map(({ system }) => system))].join(', ');
  const body = html`${pageHeader(title, { runs: `${runs.length}`, systems })}
<main>${runTable(runs)}${scoreSection(comparison)}${curveSection(comparison)}${settingSection(comparison)}</main>
<footer>Written by <code>tessera runs compare ${runs.map(({ folder }) => folder).join(' ')}</code></footer>`;
  return writePage(path, page(title, body));
}

function runTable(runs: readonly ComparedRun[]): Html {
  const rows = runs.map(
    (
      run,
      i,
    ) => html`<tr><th scope="row">${chip(run.name, i)}</th><td data-label="system">${run.system}</td><td data-label="status">${run.status}</td>
<td class="n" data-label="training">${run.seconds === 0 ? '–' : `${(run.seconds / 60).toFixed(1)} min`}</td><td class="n" data-label="size">${(run.bytes / 2 ** 20).toFixed(1)} MiB</td><td data-label="folder"><code>${run.folder}</code></td></tr>`,
  );
  return html`<section class="panel"><div class="scroll"><table class="plain stack"><thead><tr><th>run</th><th>system</th><th>status</th><th class="n">training</th><th class="n">size</th><th>folder</th></tr></thead><tbody>${rows}</tbody></table></div></section>`;
}

/** A run's name behind the mark of its colour. */
function chip(name: string, color: number): Html {
  return html`<span class="chip ${seriesClass(color)}">${name}</span>`;
}

function scoreSection({ runs, scores }: Comparison): Html {
  if (scores.length === 0) return nothing;
  const tasks = [...new Set(scores.map(({ task }) => task))];
  const body = tasks.map((task) => {
    const rows = scores.filter((row) => row.task === task);
    return html`<tbody>${rows.map((row, i) => scoreRow(row, runs, row.group !== rows[i - 1]?.group))}</tbody>`;
  });
  return html`<section><h2>Scores</h2>
<p class="lead">Each bar spans the 95% interval over images; the dot is the score. A dash stands where a run was not evaluated.</p>
<div class="panel"><div class="scroll"><table class="plain stack"><thead><tr><th>task</th><th>metric</th><th class="plot"><span class="ends"><span>0</span><span>1</span></span></th>${runs.map(({ name }, i) => html`<th class="n">${chip(name, i)}</th>`)}</tr></thead>
${body}</table></div></div></section>`;
}

function scoreRow(
  { task, group, metric, estimates }: Comparison['scores'][number],
  runs: readonly ComparedRun[],
  first: boolean,
): Html {
  const label = group === 'all' ? task.toUpperCase() : `${task.toUpperCase()} ${group}`;
  return html`<tr><th scope="row">${first ? label : ''}</th><td title="${metric.describe}">${metric.label}<span class="arrow">${arrow(metric)}</span></td>
<td class="plot">${metric.unit === 'share' ? intervals(estimates) : nothing}</td>
${runs.map(({ name }, i) => estimateCell(estimates[i] ?? null, metric, name, i))}</tr>`;
}

/** What one run reached; on a narrow page, where its row is a list, the cell bears the run's name and colour. */
function estimateCell(estimate: Estimate | null, metric: Metric, run: string, color: number): Html {
  const value = estimate
    ? html`<span><span class="score">${formatValue(estimate.value, metric)}</span> <span class="small">${formatInterval(estimate, metric)}</span></span>`
    : '–';
  return html`<td class="n run ${seriesClass(color)}" data-label="${run}">${value}</td>`;
}

/** One bar a run, under each other, on a line from 0 to 1. */
function intervals(estimates: readonly (Estimate | null)[]): Html {
  const x = (value: number) => (4 + 152 * value).toFixed(1);
  const height = 8 + estimates.length * 9;
  const bars = estimates.map((estimate, i) => {
    if (!estimate || estimate.value === null) return nothing;
    const { value, low, high } = estimate;
    const y = 8 + i * 9;
    const bar =
      low === null || high === null
        ? nothing
        : html`<line class="interval" x1="${x(low)}" x2="${x(high)}" y1="${y}" y2="${y}"/>`;
    return html`<g class="${seriesClass(i)}">${bar}<circle class="dot" cx="${x(value)}" cy="${y}" r="3.5"/></g>`;
  });
  const grid = [0, 0.5, 1].map(
    (at) => html`<line class="half" x1="${x(at)}" x2="${x(at)}" y1="2" y2="${height - 2}"/>`,
  );
  return html`<svg viewBox="0 0 160 ${height}" width="160" height="${height}" aria-hidden="true">${grid}${bars}</svg>`;
}

function curveSection({ runs, curves }: Comparison): Html {
  if (curves.length === 0) return nothing;
  const legend = html`<p class="legend">${runs.map(({ name }, i) => chip(name, i))}</p>`;
  const figures = curves.map((curve) => stageFigure(curve, runs));
  return html`<section><h2>Training</h2><p class="lead">The line is the running mean of the loss, a ring the loss on held-out rows. Point at a mark for its value.</p>
${legend}<div class="curves">${figures}</div></section>`;
}

function stageFigure({ stage, runs: series }: StageCurves, runs: readonly ComparedRun[]): Html {
  const curves = series.flatMap(({ loss, heldOut }, i) =>
    loss.length === 0 ? [] : [{ name: runs[i]?.name ?? '', color: i, points: loss, rings: heldOut }],
  );
  if (curves.length === 0) return noLoss(stage);
  const ends = curves.map(({ name, points }) => [name, runningMean(points).at(-1)?.y.toFixed(3)].join(' ')).join(', ');
  return html`<figure><figcaption><b>${stage}</b> <span>${curves.length} of ${runs.length} runs</span></figcaption>
${chart(`Losses of the stage ${stage}, ending at ${ends}`, lossAxes, curves)}</figure>`;
}

function settingSection({ runs, settings }: Comparison): Html {
  if (settings.length === 0)
    return html`<section><h2>Settings</h2><p class="lead">All settings are the same.</p></section>`;
  const rows = settings.map(
    ({ key, values }) =>
      html`<tr><th scope="row"><code>${key}</code></th>${values.map((value, i) => html`<td class="run ${seriesClass(i)}" data-label="${runs[i]?.name ?? ''}">${value ?? '–'}</td>`)}</tr>`,
  );
  return html`<section><h2>Settings that differ</h2><div class="panel"><div class="scroll"><table class="plain stack"><thead><tr><th>setting</th>${runs.map(({ name }, i) => html`<th>${chip(name, i)}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div></div></section>`;
}
