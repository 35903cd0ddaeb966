import { join } from 'node:path';
import { fewestForInterval } from '../metrics/bootstrap.ts';
import type { Evaluation, ItemRecord } from '../results.ts';
import { changes } from './changes.ts';
import type { LossRow } from './curves.ts';
import { lossCurves } from './curves.ts';
import { examples } from './examples.ts';
import type { Html } from './html.ts';
import { html, nothing } from './html.ts';
import { page, pageHeader, writePage } from './page.ts';
import { keyFigures, scoreTables } from './scores.ts';

/** What the training files gave, as a data report has it. */
export interface DataSummary {
  readonly sources: readonly {
    readonly file: string;
    readonly kept: number;
    readonly rejected: number;
    readonly used?: number;
  }[];
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
  const { model, date, seed, version, resamples } = evaluation;
  const facts = { model, date: date.slice(0, 16).replace('T', ' '), seed: `${seed}`, ...extras.facts };
  const body = html`${pageHeader(extras.title, facts)}
<main>${keyFigures(evaluation)}
${scoreTables(evaluation)}
${await changes(evaluation, extras.records)}
${await examples(extras.records, seed)}
${lossCurves(extras.losses ?? [])}
${extras.data ? dataReport(extras.data) : nothing}
${reproduce(extras)}</main>
<footer>Written by tessera ${version}. Intervals of 95%: ${resamples} bootstrap resamples of images, seed ${seed};
Wilson's score interval (1927) where each image counts 0 or 1 or all resamples agree; none of fewer than ${fewestForInterval} images.</footer>`;
  return writePage(join(folder, 'report.html'), page(extras.title, body));
}

function dataReport({ sources, reasons }: DataSummary): Html {
  const rows = sources.map(
    ({ file, kept, rejected, used }) =>
      html`<li><b>${file}</b>: ${kept} rows kept, ${used === undefined ? '' : `${used} of them used, `}${rejected} refused</li>`,
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
