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

/**
 * One AdamW step in place (Loshchilov & Hutter 2019, algorithm 2, decay decoupled), `step` counted from 1:
 * `p -= lr wd p`, `m = b1 m + (1-b1) g`, `v = b2 v + (1-b2) g^2`, `p -= lr (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + eps)`.
 * `rateOf` gives each parameter its learning rate; `gradientScale` multiplies every gradient first, as clipping does.
 */
export function adamw(
  store: ParameterStore,
  gradients: GradientBuffer,
  moments: Moments,
  options: AdamWOptions,
  { rateOf, step, gradientScale }: { rateOf: (path: string) => number; step: number; gradientScale: number },
): void {
  const [b1, b2] = options.betas;
  const correction = Math.sqrt(1 - b2 ** step);
  const { first, second } = moments;
  const g = gradients.flat;
  let at = 0;
  for (const [path, { shape, data: slot }] of gradients.tensors) {
    const p = store.tensors.get(path)?.data as Float32Array;
    const lr = rateOf(path);
    const rate = lr / (1 - b1 ** step);
    const keep = 1 - lr * (decays(shape) ? options.weightDecay : 0);
    for (let i = 0; i < slot.length; i++, at++) {
      const gradient = (g[at] as number) * gradientScale;
      const m = b1 * (first[at] as number) + (1 - b1) * gradient;
      const v = b2 * (second[at] as number) + (1 - b2) * gradient * gradient;
      first[at] = m;
      second[at] = v;
      p[i] = keep * (p[i] as number) - (rate * m) / (Math.sqrt(v) / correction + options.eps);
    }
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
