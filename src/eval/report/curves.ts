import type { Html } from './html.ts';
import { html, nothing } from './html.ts';
import { niceTicks } from './ticks.ts';

/** A row of `metrics.jsonl` that carries a loss. */
export interface LossRow {
  readonly stage: string;
  readonly step: number;
  readonly loss: number;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

const size = { width: 460, height: 250, left: 46, right: 14, top: 14, bottom: 40 };

/** One chart a stage: every step's loss thin, its running mean thick. */
export function lossCurves(rows: readonly LossRow[]): Html {
  const stages = [...new Set(rows.map((row) => row.stage))];
  if (stages.length === 0) return nothing;
  const charts = stages.map((stage) => {
    const points = rows.filter((row) => row.stage === stage && Number.isFinite(row.loss));
    return chart(
      stage,
      points.map(({ step, loss }) => ({ x: step, y: loss })),
    );
  });
  return html`<section><h2>Training</h2><div class="curves">${charts}</div></section>`;
}

function chart(stage: string, points: readonly Point[]): Html {
  if (points.length === 0) return html`<figure><figcaption>${stage}: no loss was logged</figcaption></figure>`;
  const smooth = runningMean(points);
  const xs = niceTicks(points[0]!.x, points.at(-1)!.x, 5);
  const ys = niceTicks(Math.min(...points.map((p) => p.y)), Math.max(...points.map((p) => p.y)), 4);
  const x = scale([points[0]!.x, points.at(-1)!.x], [size.left, size.width - size.right]);
  const y = scale([ys[0]!, ys.at(-1)!], [size.height - size.bottom, size.top]);
  const last = smooth.at(-1)!;
  return html`<figure>
<figcaption><b>${stage}</b> <span>loss ${smooth[0]!.y.toFixed(2)} → ${last.y.toFixed(2)} in ${points.length} rows</span></figcaption>
<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="Loss of the stage ${stage}, ending at ${last.y.toFixed(3)}">
${ys.map((tick) => horizontal(tick, y(tick)))}
${xs.filter((tick) => Number.isInteger(tick) && tick >= points[0]!.x && tick <= points.at(-1)!.x).map((tick) => vertical(tick, x(tick)))}
<text class="axis" x="${(size.left + size.width - size.right) / 2}" y="${size.height - 6}" text-anchor="middle">step</text>
<text class="axis" transform="rotate(-90)" x="${-(size.top + size.height - size.bottom) / 2}" y="11" text-anchor="middle">loss</text>
<polyline class="raw" points="${line(thin(points), x, y)}"/>
<polyline class="mean" points="${line(thin(smooth), x, y)}"/>
<circle class="end" cx="${x(last.x).toFixed(1)}" cy="${y(last.y).toFixed(1)}" r="3.5"><title>step ${last.x}: ${last.y.toFixed(4)}</title></circle>
</svg></figure>`;
}

function horizontal(tick: number, y: number): Html {
  const at = y.toFixed(1);
  return html`<line class="grid" x1="${size.left}" x2="${size.width - size.right}" y1="${at}" y2="${at}"/>
<text class="tick" x="${size.left - 7}" y="${(y + 3.5).toFixed(1)}" text-anchor="end">${tick}</text>`;
}

function vertical(tick: number, x: number): Html {
  const bottom = size.height - size.bottom;
  return html`<text class="tick" x="${x.toFixed(1)}" y="${bottom + 16}" text-anchor="middle">${tick}</text>`;
}

function scale([from, to]: readonly [number, number], [low, high]: readonly [number, number]) {
  return (value: number) => low + ((high - low) * (value - from)) / (to - from || 1);
}

/** Mean over the twentieth of the run around each point. */
function runningMean(points: readonly Point[]): Point[] {
  const sums = [0];
  for (const { y } of points) sums.push((sums.at(-1) as number) + y);
  const reach = Math.floor(points.length / 40);
  return points.map(({ x }, i) => {
    const from = Math.max(0, i - reach);
    const to = Math.min(points.length, i + reach + 1);
    return { x, y: ((sums[to] as number) - (sums[from] as number)) / (to - from) };
  });
}

/** At most 400 points, the lowest and the highest of each bucket, so that no spike is lost. */
function thin(points: readonly Point[]): Point[] {
  const most = 400;
  if (points.length <= most) return [...points];
  const width = points.length / (most / 2);
  return Array.from({ length: most / 2 }, (_, i) => {
    const bucket = points.slice(Math.floor(i * width), Math.floor((i + 1) * width));
    const low = bucket.reduce((a, b) => (b.y < a.y ? b : a));
    const high = bucket.reduce((a, b) => (b.y > a.y ? b : a));
    return low.x < high.x ? [low, high] : [high, low];
  }).flat();
}

function line(points: readonly Point[], x: (value: number) => number, y: (value: number) => number): string {
  return points.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(' ');
}
