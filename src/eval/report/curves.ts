import type { Point } from './chart.ts';
import { chart, runningMean } from './chart.ts';
import type { Html } from './html.ts';
import { html, nothing } from './html.ts';

/** A row of `metrics.jsonl` that carries a loss. */
export interface LossRow {
  readonly stage: string;
  readonly step: number;
  readonly loss: number;
}

/** Losses are cross-entropies in natural logarithms. */
export const lossAxes = { x: 'step', y: 'loss (nats)' };

/** One chart a stage: every step's loss thin, its running mean thick. */
export function lossCurves(rows: readonly LossRow[]): Html {
  const stages = [...new Set(rows.map((row) => row.stage))];
  if (stages.length === 0) return nothing;
  const charts = stages.map((stage) => {
    const points = rows.filter((row) => row.stage === stage && Number.isFinite(row.loss));
    return figure(
      stage,
      points.map(({ step, loss }) => ({ x: step, y: loss })),
    );
  });
  return html`<section><h2>Training</h2><div class="curves">${charts}</div></section>`;
}

function figure(stage: string, points: readonly Point[]): Html {
  const mean = runningMean(points);
  const [first, last] = [mean[0]?.y, mean.at(-1)?.y];
  if (first === undefined || last === undefined) return noLoss(stage);
  return html`<figure>
<figcaption><b>${stage}</b> <span>loss ${first.toFixed(2)} → ${last.toFixed(2)} in ${steps(points)}</span></figcaption>
${chart(`Loss of the stage ${stage}, ending at ${last.toFixed(3)}`, lossAxes, [{ name: stage, color: 0, points, rings: [] }])}</figure>`;
}

/** The steps that were logged, of which there may be fewer than were taken. */
function steps(points: readonly Point[]): string {
  const [first, last] = [points[0]?.x, points.at(-1)?.x];
  return first === last ? `step ${last}` : `steps ${first} to ${last}`;
}

/** In the place of a chart. */
export function noLoss(stage: string): Html {
  return html`<figure><figcaption>${stage}: no loss was logged</figcaption></figure>`;
}
