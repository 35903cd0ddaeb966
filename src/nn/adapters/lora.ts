import { Random } from '../../base/index.ts';
import { add, div, dropout, matmul, mul, reduceSum, sqrt, stopGradient, sub, type Value } from '../../graph/index.ts';
import { kaimingUniform, onesInit, zerosInit } from '../init.ts';
import type { Lora, Scope } from '../params.ts';

/** What an adapter's update is multiplied by, as a numerator and a divisor, and its rank. */
export function loraScale(lora: Omit<Lora, 'targets'>, path: string): { r: number; alpha: number; divisor: number } {
  const { r, alpha } = lora.rankOf?.(path) ?? lora;
  return { r, alpha, divisor: lora.stabilised ? Math.sqrt(r) : r };
}

const part = /\.lora_([AB]\.(\w+\.)?weight|magnitude_vector(\.\w+)?)$/;

/** True for the parameters of adapters themselves. */
export function isLoraPart(path: string): boolean {
  return part.test(path);
}

/** A layer's own product and what its adapter needs to know of it. */
export interface AdaptedLayer {
  readonly x: Value;
  /** `x W^T`, before the bias. */
  readonly product: Value;
  /** `W [out, in]`. */
  readonly weight: () => Value;
  readonly outWidth: number;
  readonly bias: Value | undefined;
}

/**
 * The output of a linear layer at `p`, with its low-rank path where the scope adapts it. The path's input is dropped out
 * when the trace has a seed for that, each layer's by a mask of its own.
 */
export function withLora(p: Scope, layer: AdaptedLayer): Value {
  const { product, bias } = layer;
  const biased = (y: Value) => (bias ? add(y, bias) : y);
  if (!p.adapter?.lora.targets(p.path)) return biased(product);
  const low = lowRank(p, p.adapter, layer);
  const { lora } = p.adapter;
  return lora.directional ? biased(redirected(p, layer, low)) : add(biased(product), low.update);
}

interface LowRank {
  /** The input that was kept. */
  readonly kept: Value;
  /** `scale B(A x)`. */
  readonly update: Value;
  /** `scale B A`. */
  readonly delta: () => Value;
}

function lowRank(p: Scope, { lora, name }: NonNullable<Scope['adapter']>, { x, outWidth }: AdaptedLayer): LowRank {
  const { dropoutSeed } = p.trace;
  const { r, alpha, divisor } = loraScale(lora, p.path);
  const inWidth = x.shape.at(-1) as number;
  const a = p.param(factorName('A', name), [r, inWidth], kaimingUniform(inWidth));
  const b = p.param(factorName('B', name), [outWidth, r], zerosInit);
  const rate = dropoutSeed ? (lora.dropout?.rate ?? 0) : 0;
  const kept = dropoutSeed && rate > 0 ? dropout(x, dropoutSeed, saltOf(p.path), rate) : x;
  // What survives is scaled up by 1/(1-rate), which costs nothing here.
  const scale = alpha / divisor / (1 - rate);
  return {
    kept,
    update: matmul(matmul(kept, a, { transB: true }), b, { transB: true, alpha: scale }),
    delta: () => matmul(b, a, { alpha: alpha / divisor }),
  };
}

function factorName(side: 'A' | 'B', name: string | undefined): string {
  return name === undefined ? `lora_${side}.weight` : `lora_${side}.${name}.weight`;
}

/**
 * DoRA: `y = x W^T + (m/|V| - 1) x' W^T + m/|V| scale B(A x')`, where `V = W + scale B A`, `|V|` are the lengths of its
 * rows, through which no gradient goes (section 4.3 of the paper), and `x'` is what dropout keeps of `x`.
 */
function redirected(p: Scope, { x, product, weight, outWidth }: AdaptedLayer, { kept, update, delta }: LowRank): Value {
  const { name } = p.adapter as NonNullable<Scope['adapter']>;
  const path = name === undefined ? 'lora_magnitude_vector' : `lora_magnitude_vector.${name}`;
  // A file brings the lengths; fresh ones are set from the weights by whoever makes an adapter.
  const magnitude = p.param(path, [outWidth], onesInit);
  const direction = add(weight(), delta());
  const length = stopGradient(sqrt(reduceSum(mul(direction, direction), [1])));
  const factor = div(magnitude, length);
  const seen = kept === x ? product : rescaled(p, kept, weight());
  return add(add(product, mul(seen, sub(factor, 1))), mul(update, factor));
}

/** `x' W^T` of an input of which a share was dropped: the rest is scaled up. */
function rescaled(p: Scope, kept: Value, weight: Value): Value {
  const rate = p.adapter?.lora.dropout?.rate ?? 0;
  return matmul(kept, weight, { transB: true, alpha: 1 / (1 - rate) });
}

function saltOf(path: string): number {
  return new Random(0, 'dropout', path).bits();
}
