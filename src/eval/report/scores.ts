import { arrow, formatDifference, formatInterval, formatValue } from '../format-scores.ts';
import type { Score } from '../headlines.ts';
import { keyScores, scoresOf } from '../headlines.ts';
import type { Evaluation, MetricResult, TaskResult } from '../results.ts';
import { chart, seriesClass } from './chart.ts';
import type { Html } from './html.ts';
import { html, nothing } from './html.ts';

/** The number of each task in large figures, beside its blind run, and over the same of all where it is a stricter one. */
export function keyFigures(evaluation: Evaluation): Html {
  return html`<div class="figures">${keyScores(evaluation).map((score) => figure(score, plainScore(evaluation, score)))}</div>`;
}

/** The score of the group `all`, where another stands for the task. */
function plainScore({ tasks }: Evaluation, { task, group, metric }: Score): number | null {
  const groups = tasks.find((result) => result.task === task)?.groups;
  return group === 'all' ? null : (groups?.all?.[metric.name]?.sighted.value ?? null);
}

function figure({ task, group, metric, result: { sighted, blind } }: Score, plain: number | null): Html {
  const name = task.toUpperCase();
  const words = [metric.label.startsWith(name) ? '' : name, group === 'all' ? '' : group, metric.label];
  const label = words.filter(Boolean).join(' ');
  return html`<div class="figure ${task}"><div class="label">${label}${arrow(metric)}</div>
<div class="number">${formatValue(sighted.value, metric)}</div>
<div class="beside">${formatInterval(sighted, metric)}${blind ? html`<span>blind ${formatValue(blind.value, metric)}</span>` : nothing}</div>
${plain === null ? nothing : html`<div class="beside">plain ${metric.label} ${formatValue(plain, metric)}</div>`}</div>`;
}

/** Every score with its interval, next to the blind run. */
export function scoreTables({ tasks }: Evaluation): Html {
  return html`<section><h2>Scores</h2>
<p class="lead">Each bar spans the 95% interval over images; the dot is the score. The hollow dot is the <em>blind</em> run, in
which every question came with another question's image: what a model reaches there, it owes to language alone.</p>
${tasks.map(taskTable)}</section>`;
}

function taskTable(result: TaskResult): Html {
  const { describe, prompt, decoding, pictures, questions } = result;
  const all = scoresOf(result);
  const headlines = all.filter(({ metric }) => metric.headline);
  const how = decoding
    ? html` · ${decoding.strategy} decoding, at most ${decoding.maxTokens} tokens · prompt <code>${(prompt ?? '').replaceAll('\n', ' ⏎ ')}</code>`
    : nothing;
  return html`<article class="task ${result.task}"><h3>${result.task.toUpperCase()}</h3><p>${describe}.</p>
${table(headlines)}
${shotCurves(result)}
${headlines.length === all.length ? nothing : html`<details><summary>every metric</summary>${table(all)}</details>`}
<p class="note">${pictures} images, ${questions} ${decoding ? 'questions' : 'searches'}${how}</p>
</article>`;
}

function table(scores: readonly Score[]): Html {
  const groups = [...new Set(scores.map(({ group }) => group))];
  return html`<div class="scroll"><table><thead><tr><th>group</th><th>metric</th><th class="n">score</th><th class="n interval-of">95% interval</th><th class="plot">0<i>1</i></th><th class="n">blind</th><th class="n">difference</th></tr></thead>
${groups.map((group) => html`<tbody>${groupRows(scores.filter((score) => score.group === group))}</tbody>`)}</table></div>`;
}

function groupRows(scores: readonly Score[]): Html[] {
  return scores.map(
    ({ group, metric, result }, i) => html`<tr>
<th scope="row">${i === 0 ? group : ''}</th><td title="${metric.describe}">${metric.label}<span class="arrow">${arrow(metric)}</span></td>
<td class="n score">${formatValue(result.sighted.value, metric)}<span class="small within">${formatInterval(result.sighted, metric)}</span></td><td class="n interval-of">${formatInterval(result.sighted, metric)}</td>
<td class="plot">${metric.unit === 'share' ? intervalPlot(result) : nothing}</td>
<td class="n blind">${formatValue(result.blind?.value ?? null, metric)}</td>
<td class="n" title="95% interval ${result.difference ? formatInterval(result.difference, metric) : '–'}">${formatDifference(result.difference, metric)}</td></tr>`,
  );
}

/** Score, interval and blind score on a line from 0 to 1. */
function intervalPlot({ sighted, blind }: MetricResult): Html {
  const x = (value: number) => (4 + 152 * value).toFixed(1);
  const { value, low, high } = sighted;
  const bar =
    low === null || high === null
      ? nothing
      : html`<line class="interval" x1="${x(low)}" x2="${x(high)}" y1="8" y2="8"/>`;
  const hollow = blind?.value == null ? nothing : html`<circle class="blind" cx="${x(blind.value)}" cy="8" r="3.5"/>`;
  const dot = value === null ? nothing : html`<circle class="dot" cx="${x(value)}" cy="8" r="4"/>`;
  return html`<svg viewBox="0 0 160 16" width="160" height="16" aria-hidden="true"><line class="track" x1="4" x2="156" y1="8" y2="8"/><line class="half" x1="80" x2="80" y1="4" y2="12"/>${[hollow, bar, dot]}</svg>`;
}

/** A metric over what groups have different numbers of, a curve for each kind of group. */
function shotCurves({ curves, groups, metrics }: TaskResult): Html {
  if (!curves) return nothing;
  const { metric, over, series } = curves;
  const { label = metric } = metrics.find(({ name }) => name === metric) ?? {};
  const lines = series.map(({ name, points }, color) => ({
    name,
    color,
    points: points.flatMap(({ at, group }) => {
      const y = groups[group]?.[metric]?.sighted.value;
      return y == null ? [] : [{ x: at, y }];
    }),
    rings: [],
  }));
  return html`<figure><div class="legend">${lines.map(({ name, color }) => html`<span class="chip ${seriesClass(color)}">${name}</span>`)}</div>
${chart(`${label} over ${over}`, { x: over, y: label }, lines)}</figure>`;
}
