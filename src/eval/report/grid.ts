import { arrow, fixed, formatValue } from '../format-scores.ts';
import type { Estimate } from '../metrics/bootstrap.ts';
import type { Metric } from '../tasks/task.ts';
import { type Html, html, nothing } from './html.ts';

/** A score that a grid shows. */
export interface GridMeasure {
  readonly task: string;
  readonly group: string;
  readonly metric: Metric;
}

/** What became of one score. */
export interface GridChange {
  readonly before: number | null;
  readonly after: number | null;
  readonly relative: Estimate;
}

/** One base under one method: all its seeds together, or one of them. */
export interface GridRow {
  readonly base: string;
  readonly method: string;
  /** Seeds that are done. */
  readonly seeds: readonly number[];
  /** In the order of the measures; empty where no seed is done. */
  readonly changes: readonly GridChange[];
  /** Why seeds of it are not done, a line each. */
  readonly missing: readonly string[];
}

/** A finished grid, or one on its way. */
export interface GridTable {
  readonly name: string;
  /** The first is what should change, the others stand beside it. */
  readonly measures: readonly GridMeasure[];
  readonly images: number;
  /** A row for each base and method. */
  readonly rows: readonly GridRow[];
  /** A row for each cell. */
  readonly cells: readonly GridRow[];
}

/** The table as Markdown: bases and methods over all seeds with what is missing and why, and then every cell. */
export function gridMarkdown(table: GridTable): string {
  const { summary, cells } = gridTables(table);
  return [`# ${table.name}`, '', summary, '', '## Every cell', '', cells, ''].join('\n');
}

/** The two tables of a grid as Markdown. */
export function gridTables({ measures, images, rows, cells }: GridTable): { summary: string; cells: string } {
  const missing = cells.flatMap((cell) => cell.missing.map((why) => `- ${cell.base}, ${cell.method}: ${why}`));
  const done = cells.filter(({ changes }) => changes.length > 0).length;
  const summary = [
    `${done} of ${cells.length} cells, ${images} images of each task. Changes are relative to the base, with the 95 % interval over images and seeds.`,
    '',
    ...markdownTable(measures, rows),
    ...(missing.length > 0 ? ['', 'Not done:', '', ...missing] : []),
  ];
  return { summary: summary.join('\n'), cells: markdownTable(measures, cells).join('\n') };
}

function markdownTable(measures: readonly GridMeasure[], rows: readonly GridRow[]): string[] {
  const titles = measures.flatMap((measure, i) => (i === 0 ? [title(measure), 'change', '95 %'] : [title(measure)]));
  const head = ['base', 'method', 'seeds', ...titles];
  const cells = rows.map(({ base, method, seeds, changes, missing }) => [
    base,
    method,
    seeds.join(', ') || (missing.length > 0 ? 'not done' : ''),
    ...measures.flatMap(({ metric }, i) => {
      const change = changes[i];
      const both = change ? fromTo(change, metric) : '–';
      return i > 0 ? [both] : [both, percent(change?.relative.value), interval(change?.relative)];
    }),
  ]);
  return [head, head.map((_, i) => (i < 3 ? '---' : '---:')), ...cells].map((row) => `| ${row.join(' | ')} |`);
}

function title({ task, group, metric }: GridMeasure): string {
  return [task, group === 'all' ? '' : group, `${metric.label}${arrow(metric)}`].filter(Boolean).join(' ');
}

function fromTo({ before, after }: GridChange, metric: Metric): string {
  return `${formatValue(before, metric)} → ${formatValue(after, metric)}`;
}

function percent(share: number | null | undefined): string {
  if (share === null || share === undefined) return '–';
  return `${share > 0 ? '+' : ''}${percents(share)} %`;
}

const percents = (share: number) => fixed(100 * share, 1).replace('-', '−');

function interval(estimate: Estimate | undefined): string {
  if (!estimate || estimate.low === null || estimate.high === null) return '–';
  return `${percents(estimate.low)} … ${percents(estimate.high)}`;
}

const left = 190;
const width = 760;
const step = 22;
const top = 34;

/** The changes of the first measure as an image: a dot and an interval for each base and method, on one line of percents. */
export function gridImage({ name, measures, rows }: GridTable): string {
  const measure = measures[0] as GridMeasure;
  const ends = rows.flatMap(({ changes: [first] }) => {
    const { value, low, high } = first?.relative ?? { value: null, low: null, high: null };
    return [value, low, high].filter((end) => end !== null);
  });
  const [least, most] = [Math.min(-0.1, ...ends), Math.max(0.1, ...ends)];
  const x = (share: number) => (left + ((share - least) / (most - least)) * (width - left - 90)).toFixed(1);
  const height = top + rows.length * step + 30;
  const good = { low: least, high: most, neither: 0 }[measure.metric.better];
  const hint = good === 0 ? '' : good < 0 ? ', further left is better' : ', further right is better';
  const bars = rows.map((row, i) => bar(row, top + i * step, x, row.base !== rows[i - 1]?.base));
  return `${
    html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="${name}: relative change of ${title(measure)}">
<rect width="${width}" height="${height}" fill="#ffffff"/>
<text x="8" y="18" font-weight="600">${name}: relative change of ${title(measure)}, 95 % interval${hint}</text>
<line x1="${x(0)}" x2="${x(0)}" y1="${top - 10}" y2="${height - 22}" stroke="#555555"/>
<text x="${x(0)}" y="${height - 8}" text-anchor="middle" fill="#555555">0 %</text>
${bars}
</svg>`.markup
  }\n`;
}

function bar(
  { base, method, changes: [first] }: GridRow,
  y: number,
  x: (share: number) => string,
  names: boolean,
): Html {
  const { value, low, high } = first?.relative ?? { value: null, low: null, high: null };
  const spread =
    low === null || high === null
      ? nothing
      : html`<line x1="${x(low)}" x2="${x(high)}" y1="${y}" y2="${y}" stroke="#0f766e" stroke-width="3" stroke-opacity="0.45"/>`;
  const dot = value === null ? nothing : html`<circle cx="${x(value)}" cy="${y}" r="4" fill="#0f766e"/>`;
  return html`<g><text x="8" y="${y + 4}" font-weight="600">${names ? base : ''}</text><text x="100" y="${y + 4}">${method}</text>
${spread}${dot}<text x="${width - 8}" y="${y + 4}" text-anchor="end">${value === null ? 'not done' : percent(value)}</text></g>`;
}
