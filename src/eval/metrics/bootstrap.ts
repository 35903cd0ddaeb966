import { Random, TesseraError } from '../../base/index.ts';
import { mean, type Tally } from './tally.ts';

/** A score with the ends of its 95% interval; null where it is undefined, or where too little was seen to tell. */
export interface Estimate {
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

interface Interval {
  readonly low: number;
  readonly high: number;
}

interface BootstrapOptions {
  readonly seed: number;
  /** 1,000 unless told. */
  readonly resamples?: number;
}

/** Fewer images than these say nothing about their spread, so there is no interval. */
export const fewestForInterval = 5;

type Scorer = (sum: Tally) => Readonly<Record<string, number>>;

/**
 * Percentile bootstrap over clusters (Efron 1979): images are drawn with replacement, since the questions about one
 * image stand or fall together. Same seed and clusters, same interval. Where every image is a 0 or a 1 by itself, or
 * all resamples agree, the bootstrap would be too narrow, down to no width at all; there the interval is Wilson's.
 *
 * @param clusters one tally an image.
 * @param score the metrics of summed tallies; NaN where undefined, and such resamples do not enter the interval.
 */
export function bootstrap(
  clusters: readonly Tally[],
  score: Scorer,
  options: BootstrapOptions,
): Record<string, Estimate> {
  const scores = score(total(clusters));
  const replicates = resample([clusters], options).map(([sum]) => score(sum as Tally));
  const alone = clusters.map(score);
  return estimates(scores, (key, value) => {
    const own = alone.map((s) => s[key] as number).filter(Number.isFinite);
    if (own.length < fewestForInterval) return undefined;
    const spread = percentiles(replicates.map((r) => r[key] as number));
    const even = spread === undefined && value >= 0 && value <= 1;
    return even || isMeanOfOutcomes(own, value) ? wilson(value, own.length) : spread;
  });
}

/** Whether a score is the mean of zeros and ones. */
function isMeanOfOutcomes(outcomes: readonly number[], value: number): boolean {
  const ones = outcomes.filter((outcome) => outcome === 1).length;
  return outcomes.every((x) => x === 0 || x === 1) && Math.abs(ones / outcomes.length - value) < 1e-9;
}

/**
 * The 95% score interval of a share `p` of `n` independent outcomes (Wilson 1927, Probable inference, the law of
 * succession, and statistical inference). It has width even where all outcomes are the same: 0 of 100 leave room for 3.7%.
 */
export function wilson(p: number, n: number): Interval {
  const z2 = 1.959963984540054 ** 2;
  const middle = (p + z2 / (2 * n)) / (1 + z2 / n);
  const half = Math.sqrt(z2 * ((p * (1 - p)) / n + z2 / (4 * n * n))) / (1 + z2 / n);
  return { low: p === 0 ? 0 : middle - half, high: p === 1 ? 1 : middle + half };
}

/**
 * The difference `a - b` of two runs over the same images, in the same order, with a paired interval: each resample
 * draws the same images for both, so what makes an image hard for both cancels. There is no interval where all
 * resamples agree.
 * @throws TesseraError `bootstrap/unpaired` when the runs have different numbers of images.
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
      message: 'a paired difference needs the same images on both sides',
      expected: `${a.length} images`,
      got: `${b.length}`,
    });
  }
  const replicates = resample([a, b], options).map(([x, y]) => minus(score(x as Tally), score(y as Tally)));
  return estimates(minus(score(total(a)), score(total(b))), (key) =>
    a.length < fewestForInterval ? undefined : percentiles(replicates.map((r) => r[key] as number)),
  );
}

/** A model before and after something was done to it, each with one tally an image. */
export interface Change {
  readonly before: readonly Tally[];
  readonly after: readonly Tally[];
}

/**
 * The relative change `(after - before) / before` of a score, its mean over changes that share their images, such as those
 * of several seeds. Each resample draws images, the same for all, and as many of the changes, both with replacement, so
 * that the interval is one over images and seeds. Null where a score before is 0 or undefined.
 */
export function bootstrapRelative(
  changes: readonly Change[],
  score: (sum: Tally) => number,
  options: BootstrapOptions,
): Estimate {
  const relative = ([before, after]: readonly [Tally, Tally]) => score(after) / score(before) - 1;
  const value = mean(changes.map(({ before, after }) => relative([total(before), total(after)])));
  if (!Number.isFinite(value)) return { value: null, low: null, high: null };
  const random = new Random(options.seed, 'changes');
  const images = changes[0]?.before.length ?? 0;
  const sums = resample(
    changes.flatMap(({ before, after }) => [before, after]),
    options,
  );
  const replicates = sums.map((sum) => {
    const drawn = changes.map(() => random.int(0, changes.length));
    return mean(drawn.map((i) => relative([sum[2 * i] as Tally, sum[2 * i + 1] as Tally])));
  });
  const spread = images < fewestForInterval ? undefined : percentiles(replicates);
  return { value, low: spread?.low ?? null, high: spread?.high ?? null };
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
  intervalOf: (key: string, value: number) => Interval | undefined,
): Record<string, Estimate> {
  return Object.fromEntries(
    Object.entries(scores).map(([key, value]) => {
      if (!Number.isFinite(value)) return [key, { value: null, low: null, high: null }];
      const { low, high } = intervalOf(key, value) ?? { low: null, high: null };
      return [key, { value, low, high }];
    }),
  );
}

/** The middle 95% of what resamples gave, where that is defined; undefined when all that is the same. */
function percentiles(replicates: readonly number[]): Interval | undefined {
  const sorted = replicates.filter(Number.isFinite).sort((a, b) => a - b);
  const [least, most] = [sorted[0], sorted.at(-1)];
  // The same numbers summed in another order differ in their last bits.
  if (least === undefined || most === undefined || most - least < 1e-12) return undefined;
  return { low: percentile(sorted, 0.025), high: percentile(sorted, 0.975) };
}

/** Linear interpolation between order statistics. */
function percentile(sorted: readonly number[], p: number): number {
  const at = p * (sorted.length - 1);
  const low = sorted[Math.floor(at)] as number;
  const high = sorted[Math.ceil(at)] as number;
  return low + (high - low) * (at - Math.floor(at));
}
