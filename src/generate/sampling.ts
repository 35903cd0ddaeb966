import { type Fault, Random, raise, TesseraError } from '../base/index.ts';

/** How the next token is picked. */
export interface Sampling {
  /** 0, the default, always takes the likeliest token. */
  readonly temperature?: number;
  /** Draw from this many likeliest tokens. */
  readonly topK?: number;
  /** Draw from the fewest likeliest tokens that have this share together. */
  readonly topP?: number;
  /** Seeds the draws; 0 unless told. */
  readonly seed?: number;
}

/** Logits in, logits out; a token that must not come is -Infinity. */
export type LogitProcessor = (logits: Float64Array) => Float64Array;

/** Divides by the temperature. The largest logit is moved to 0 first, so that no temperature overflows. */
export function temperature(t: number): LogitProcessor {
  return (logits) => {
    const top = maximum(logits);
    return logits.map((x) => (x - top) / t);
  };
}

/** Keeps the k largest logits and those equal to the smallest of them. */
export function topK(k: number): LogitProcessor {
  return (logits) => {
    if (k >= logits.length) return logits;
    const smallest = logits.slice().sort().at(-k) as number;
    return logits.map((x) => (x < smallest ? -Infinity : x));
  };
}

/**
 * Keeps the likeliest tokens until their probabilities add up to p (nucleus sampling, Holtzman et al. 2020); at least
 * one. Among equal tokens the smaller ids are kept.
 */
export function topP(p: number): LogitProcessor {
  return (logits) => {
    const falling = logits.slice().sort().reverse();
    const top = falling[0] as number;
    const weights = falling.map((x) => Math.exp(x - top));
    const share = p * weights.reduce((a, b) => a + b, 0);
    let kept = 1;
    for (let sum = weights[0] as number; kept < falling.length && sum < share; kept++) sum += weights[kept] as number;
    const cut = falling[kept - 1] as number;
    let ties = falling.subarray(0, kept).filter((x) => x === cut).length;
    return logits.map((x) => (x > cut || (x === cut && ties-- > 0) ? x : -Infinity));
  };
}

/** The processors that a choice of sampling asks for, in the order of transformers: temperature, top-k, top-p. */
export function processors(sampling: Sampling): LogitProcessor[] {
  const chain: LogitProcessor[] = [temperature(sampling.temperature ?? 1)];
  if (sampling.topK !== undefined) chain.push(topK(sampling.topK));
  if (sampling.topP !== undefined && sampling.topP < 1) chain.push(topP(sampling.topP));
  return chain;
}

/** Draws an index with probability softmax(logits). */
export function draw(logits: Float64Array, random: Random): number {
  const top = maximum(logits);
  const ids: number[] = [];
  const weights: number[] = [];
  logits.forEach((x, id) => {
    const weight = Math.exp(x - top);
    if (weight === 0) return;
    ids.push(id);
    weights.push(weight);
  });
  return ids[random.weighted(weights)] as number;
}

/** Picks the next token of one row from its logits. */
export type Picker = (logits: Float32Array) => number;

/**
 * The picker of one row. Draws come from a stream of the seed and the row's number, so what else is in the batch does
 * not matter.
 * @throws TesseraError `generate/sampling` for values out of range.
 */
export function picker(sampling: Sampling, row: number): Picker {
  raise(samplingFaults(sampling));
  if ((sampling.temperature ?? 0) === 0) return likeliest;
  const chain = processors(sampling);
  const random = new Random(sampling.seed ?? 0, 'sample', row);
  return (logits) => {
    likeliest(logits);
    return draw(
      chain.reduce<Float64Array>((x, step) => step(x), Float64Array.from(logits)),
      random,
    );
  };
}

/**
 * The index of the largest logit, the first of equals.
 * @throws TesseraError `generate/not-finite` when a logit is no number
 */
export function likeliest(logits: Float32Array): number {
  let best = 0;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    const x = logits[i] as number;
    // NaN and infinities stay in a sum of x - x.
    sum += x - x;
    if (x > (logits[best] as number)) best = i;
  }
  if (sum === 0) return best;
  throw new TesseraError({
    code: 'generate/not-finite',
    message: 'the model gives logits that are no finite numbers',
    expected: 'finite logits',
    got: 'NaN or an infinity',
    remedy: 'the weights are damaged, or training has diverged; take an earlier checkpoint',
  });
}

function samplingFaults({ temperature: t = 0, topK: k = 1, topP: p = 1, seed = 0 }: Sampling): Fault[] {
  const checks: [boolean, string, string, number][] = [
    [Number.isFinite(t) && t >= 0, 'temperature', 'a number of at least 0', t],
    [Number.isInteger(k) && k > 0, 'topK', 'a positive integer', k],
    [p > 0 && p <= 1, 'topP', 'more than 0 and at most 1', p],
    [Number.isInteger(seed), 'seed', 'an integer', seed],
  ];
  return checks
    .filter(([fine]) => !fine)
    .map(([, path, expected, got]) => ({
      code: 'generate/sampling',
      message: `${path} is out of range`,
      path,
      expected,
      got: `${got}`,
    }));
}

function maximum(values: Float64Array): number {
  return values.reduce((a, b) => Math.max(a, b), -Infinity);
}
