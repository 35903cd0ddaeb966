import type { Html } from './html.ts';
import { html, nothing } from './html.ts';
import { niceTicks } from './ticks.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** One curve: its running mean thick, every point thin where it is alone, further points as rings. */
export interface Curve {
  readonly name: string;
  /** Which of the series colours. */
  readonly color: number;
  readonly points: readonly Point[];
  readonly rings: readonly Point[];
}

interface Axes {
  readonly x: string;
  readonly y: string;
}

const size = { width: 460, height: 250, left: 58, right: 14, top: 14, bottom: 40 };
const seriesColors = 8;

/** Curves over steps in one drawing. */
export function chart(label: string, axes: Axes, curves: readonly Curve[]): Html {
  const lines = curves.map((curve) => ({ ...curve, mean: runningMean(curve.points) }));
  const shown = lines.flatMap(({ points, mean, rings }) => [...(curves.length === 1 ? points : mean), ...rings]);
  const [first, last] = extent(shown.map((p) => p.x));
  const xs = niceTicks(first, last, 5).filter((tick) => Number.isInteger(tick) && tick >= first && tick <= last);
  const ys = niceTicks(...extent(shown.map((p) => p.y)), 4);
  const x = scale([first, last], [size.left, size.width - size.right]);
  const y = scale(extent(ys), [size.height - size.bottom, size.top]);
  return html`<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${label}">
${ys.map((tick) => horizontal(tick, y(tick)))}
${xs.map((tick) => vertical(tick, x(tick)))}
<text class="axis" x="${(size.left + size.width - size.right) / 2}" y="${size.height - 6}" text-anchor="middle">${axes.x}</text>
<text class="axis" transform="rotate(-90)" x="${-(size.top + size.height - size.bottom) / 2}" y="11" text-anchor="middle">${axes.y}</text>
${lines.map(({ name, color, points, mean, rings }) => {
  const end = mean.at(-1);
  return html`<g class="${seriesClass(color)}">
${curves.length === 1 ? html`<polyline class="raw" points="${line(thin(points), x, y)}"/>` : nothing}
<polyline class="mean" points="${line(thin(mean), x, y)}"/>
${rings.map((p) => html`<circle class="ring" cx="${x(p.x).toFixed(1)}" cy="${y(p.y).toFixed(1)}" r="4"><title>${name}, held out, step ${p.x}: ${p.y.toFixed(4)}</title></circle>`)}
${end ? html`<circle class="end" cx="${x(end.x).toFixed(1)}" cy="${y(end.y).toFixed(1)}" r="3.5"><title>${name}, step ${end.x}: ${end.y.toFixed(4)}</title></circle>` : nothing}
</g>`;
})}
</svg>`;
}

/** The class that gives a drawing or a name the colour of its series; colours that come again are dashed. */
export function seriesClass(color: number): string {
  return `s${color % seriesColors}${color >= seriesColors ? ' dashed' : ''}`;
}

function extent(values: readonly number[]): [number, number] {
  return values.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
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
export function runningMean(points: readonly Point[]): Point[] {
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
