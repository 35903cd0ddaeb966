import { Random, TesseraError } from '../../base/index.ts';
import type { Tally } from './tally.ts';

/** A score with the ends of its 95% interval; null where it is undefined. */
export interface Estimate {
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

interface BootstrapOptions {
  readonly seed: number;
  /** 1,000 unless told. */
  readonly resamples?: number;
}

type Scorer = (sum: Tally) => Readonly<Record<string, number>>;

/**
 * Percentile bootstrap over clusters (Efron 1979): pictures are drawn with replacement, since the questions about one
 * picture stand or fall together. Same seed and clusters, same interval.
 *
 * @param clusters one tally a picture.
 * @param score the metrics of summed tallies; NaN where undefined, and such resamples do not enter the interval.
 */
export function bootstrap(
  clusters: readonly Tally[],
  score: Scorer,
  options: BootstrapOptions,
): Record<string, Estimate> {
  const scores = score(total(clusters));
  const replicates = resample([clusters], options).map(([sum]) => score(sum as Tally));
  return estimates(scores, replicates);
}

/**
 * The difference `a - b` of two runs over the same pictures, in the same order, with a paired interval: each resample
 * draws the same pictures for both, so what makes a picture hard for both cancels.
 * @throws TesseraError `bootstrap/unpaired` when the runs have different numbers of pictures.
 */
export function bootstrapDifference(
  a: readonly Tally[],
  b: readonly Tally[],
  score: Scorer,
  options: BootstrapOptions,
): Record<string, Estimate> {
  if (a.length !== b.length) {
    throw new TesseraError({
      code: 'bootstrap/unpaired',
      message: 'a paired difference needs the same pictures on both sides',
      expected: `${a.length} pictures`,
      got: `${b.length}`,
    });
  }
  const replicates = resample([a, b], options).map(([x, y]) => minus(score(x as Tally), score(y as Tally)));
  return estimates(minus(score(total(a)), score(total(b))), replicates);
}

function minus(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.keys(a).map((key) => [key, (a[key] as number) - (b[key] as number)]));
}

function total(clusters: readonly Tally[]): Tally {
  const { keys, rows } = matrix(clusters);
  return sumRows(
    keys,
    rows,
    rows.map((_, i) => i),
  );
}

/** Draws clusters with replacement, the same ones from every run, and sums each run's tallies. */
function resample(runs: readonly (readonly Tally[])[], { seed, resamples = 1000 }: BootstrapOptions): Tally[][] {
  const random = new Random(seed, 'bootstrap');
  const tables = runs.map(matrix);
  const n = runs[0]?.length ?? 0;
  return Array.from({ length: resamples }, () => {
    const drawn = Array.from({ length: n }, () => random.int(0, n));
    return tables.map(({ keys, rows }) => sumRows(keys, rows, drawn));
  });
}

/** Tallies as rows of numbers over one list of keys: a thousand resamples add numbers only. */
function matrix(clusters: readonly Tally[]): { keys: string[]; rows: number[][] } {
  const keys = [...new Set(clusters.flatMap((tally) => Object.keys(tally)))];
  return { keys, rows: clusters.map((tally) => keys.map((key) => tally[key] ?? 0)) };
}

function sumRows(keys: readonly string[], rows: readonly number[][], drawn: readonly number[]): Tally {
  const sum = new Float64Array(keys.length);
  for (const at of drawn) {
    const row = rows[at] as number[];
    for (let k = 0; k < sum.length; k++) sum[k] = (sum[k] as number) + (row[k] as number);
  }
  return Object.fromEntries(keys.map((key, k) => [key, sum[k] as number]));
}

function estimates(
  scores: Readonly<Record<string, number>>,
  replicates: readonly Readonly<Record<string, number>>[],
): Record<string, Estimate> {
  return Object.fromEntries(
    Object.entries(scores).map(([key, value]) => {
      const sorted = replicates
        .map((r) => r[key] as number)
        .filter(Number.isFinite)
        .sort((a, b) => a - b);
      return [key, { value: defined(value), low: percentile(sorted, 0.025), high: percentile(sorted, 0.975) }];
    }),
  );
}

function defined(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** Linear interpolation between order statistics. */
function percentile(sorted: readonly number[], p: number): number | null {
  if (sorted.length === 0) return null;
  const at = p * (sorted.length - 1);
  const low = sorted[Math.floor(at)] as number;
  const high = sorted[Math.ceil(at)] as number;
  return low + (high - low) * (at - Math.floor(at));
}
