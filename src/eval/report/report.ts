import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random } from '../../base/index.ts';
import type { Evaluation, ItemRecord } from '../results.ts';
import type { LossRow } from './curves.ts';
import { lossCurves } from './curves.ts';
import { examples } from './examples.ts';
import { Html, html, nothing } from './html.ts';
import { keyFigures, scoreTables } from './scores.ts';
import { style } from './style.ts';

/** What the training files gave, as a data report has it. */
export interface DataSummary {
  readonly sources: readonly { readonly file: string; readonly kept: number; readonly rejected: number }[];
  readonly reasons: readonly { readonly code: string; readonly count: number }[];
}

export interface ReportExtras {
  /** Name of the run. */
  readonly title: string;
  /** What to type to get the same again. */
  readonly command: string;
  readonly records: readonly ItemRecord[];
  readonly losses?: readonly LossRow[];
  readonly data?: DataSummary;
  /** Further facts for the header, such as the number of parameters. */
  readonly facts?: Readonly<Record<string, string>>;
  /** The resolved recipe as text. */
  readonly recipe?: string;
}

/**
 * Writes `report.html`: one file that needs no network and runs no script.
 * @returns its path.
 */
export async function writeReport(folder: string, evaluation: Evaluation, extras: ReportExtras): Promise<string> {
  const page = await renderReport(evaluation, extras);
  const path = join(folder, 'report.html');
  await mkdir(folder, { recursive: true });
  await writeFile(`${path}.part`, page);
  await rename(`${path}.part`, path);
  return path;
}

async function renderReport(evaluation: Evaluation, extras: ReportExtras): Promise<string> {
  const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}"><title>${extras.title} – tessera</title>
<style>${new Html(style)}</style></head>
<body>${header(evaluation, extras)}
<main>${keyFigures(evaluation)}
${scoreTables(evaluation)}
${await examples(extras.records, evaluation.seed)}
${lossCurves(extras.losses ?? [])}
${extras.data ? dataReport(extras.data) : nothing}
${reproduce(extras)}</main>
<footer>Written by tessera ${evaluation.version}. Intervals: ${evaluation.resamples} bootstrap resamples of pictures, seed ${evaluation.seed}.</footer>
</body></html>
`;
  return page.markup;
}

function header({ model, date, seed }: Evaluation, { title, facts = {} }: ReportExtras): Html {
  const known = { model, date: date.slice(0, 16).replace('T', ' '), seed: `${seed}`, ...facts };
  return html`<header>${mosaic(title)}<h1>${title}</h1>
<p class="facts">${Object.entries(known).map(([name, value]) => html`<span>${name} <b>${value}</b></span>`)}</p></header>`;
}

/** A strip of tiles laid by the run's name. */
function mosaic(title: string): Html {
  const random = new Random(0, 'mosaic', title);
  const glazes = ['teal', 'teal', 'clay', 'gold', 'indigo', 'line', 'line'];
  const tiles = Array.from({ length: 2 * 77 }, (_, i) => {
    const [x, y] = [(i % 77) * 13, Math.floor(i / 77) * 13];
    return html`<rect x="${x}" y="${y}" width="12" height="12" rx="1.5" fill="var(--${random.pick(glazes)})" opacity="${random.uniform(0.55, 1).toFixed(2)}"/>`;
  });
  return html`<svg class="mosaic" viewBox="0 0 1000 25" preserveAspectRatio="xMidYMid slice" aria-hidden="true">${tiles}</svg>`;
}

function dataReport({ sources, reasons }: DataSummary): Html {
  const rows = sources.map(
    ({ file, kept, rejected }) => html`<li><b>${file}</b>: ${kept} rows kept, ${rejected} refused</li>`,
  );
  const why = reasons.map(({ code, count }) => html`<li>${count} × <code>${code}</code></li>`);
  const refused = reasons.length > 0 ? html`<div class="panel">Refused because of<ul>${why}</ul></div>` : nothing;
  return html`<section><h2>Data</h2><div class="panel"><ul>${rows}</ul></div>${refused}</section>`;
}

function reproduce({ command, recipe }: ReportExtras): Html {
  const resolved = recipe
    ? html`<div class="panel"><details><summary>The resolved recipe</summary><pre>${recipe}</pre></details></div>`
    : nothing;
  return html`<section><h2>The same again</h2><div class="panel"><pre>${command}</pre></div>${resolved}</section>`;
}
