import type { ParameterStore } from '../../nn/index.ts';
import type { GradientBuffer } from '../program.ts';

export interface AdamWOptions {
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
}

/** First and second moments, laid out like the gradients. */
export interface Moments {
  readonly first: Float32Array<ArrayBuffer>;
  readonly second: Float32Array<ArrayBuffer>;
}

export function allocateMoments(gradients: GradientBuffer): Moments {
  return { first: new Float32Array(gradients.flat.length), second: new Float32Array(gradients.flat.length) };
}

/** True where weight decay applies: matrices and higher, never norms, biases and other vectors. */
export function decays(shape: readonly number[]): boolean {
  return shape.length >= 2;
}

/** What one optimizer step brings along. */
export interface AdamWStep {
  /** Learning rate of each parameter. */
  rateOf(path: string): number;
  /** Counted from 1. */
  readonly step: number;
  /** Multiplies every gradient first, as clipping does. */
  readonly gradientScale: number;
}

/**
 * One AdamW step in place (Loshchilov & Hutter 2019, algorithm 2, decay decoupled), t being `step`:
 * `p -= lr wd p`, `m = b1 m + (1-b1) g`, `v = b2 v + (1-b2) g^2`, `p -= lr (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + eps)`.
 */
export function adamw(
  store: ParameterStore,
  gradients: GradientBuffer,
  moments: Moments,
  options: AdamWOptions,
  { rateOf, step, gradientScale }: AdamWStep,
): void {
  const [b1, b2] = options.betas;
  let at = 0;
  for (const [path, { shape, data: g }] of gradients.tensors) {
    const lr = rateOf(path);
    const end = at + g.length;
    update(
      store.tensors.get(path)?.data as Float32Array,
      g,
      moments.first.subarray(at, end),
      moments.second.subarray(at, end),
      {
        b1,
        b2,
        first: (1 - b1) * gradientScale,
        second: (1 - b2) * gradientScale * gradientScale,
        keep: 1 - lr * (decays(shape) ? options.weightDecay : 0),
        rate: lr / (1 - b1 ** step),
        spread: 1 / Math.sqrt(1 - b2 ** step),
        eps: options.eps,
      },
    );
    at = end;
  }
}

interface Coefficients {
  readonly b1: number;
  readonly b2: number;
  readonly first: number;
  readonly second: number;
  readonly keep: number;
  readonly rate: number;
  readonly spread: number;
  readonly eps: number;
}

/** The loop over the elements of one tensor; local numbers and plain arrays keep it a third faster. */
function update(
  p: Float32Array,
  g: Float32Array,
  ms: Float32Array,
  vs: Float32Array,
  coefficients: Coefficients,
): void {
  const { b1, b2, first, second, keep, rate, spread, eps } = coefficients;
  for (let i = 0; i < p.length; i++) {
    const gradient = g[i] as number;
    const m = b1 * (ms[i] as number) + first * gradient;
    const v = b2 * (vs[i] as number) + second * gradient * gradient;
    ms[i] = m;
    vs[i] = v;
    p[i] = keep * (p[i] as number) - (rate * m) / (Math.sqrt(v) * spread + eps);
  }
}

/** Euclidean norm of a flat buffer, summed in double precision. */
export function globalNorm(flat: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < flat.length; i++) sum += (flat[i] as number) * (flat[i] as number);
  return Math.sqrt(sum);
}

/** The factor of `torch.nn.utils.clip_grad_norm_`: `min(1, max / (norm + 1e-6))`; 1 when there is no limit. */
export function clipFactor(norm: number, limit: number | undefined): number {
  return limit === undefined ? 1 : Math.min(1, limit / (norm + 1e-6));
}
