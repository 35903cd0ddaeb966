import { matmul, quantizedMatmul, type Value } from '../graph/index.ts';
import { withLora } from './adapters/lora.ts';
import { type Init, normal, zerosInit } from './init.ts';
import type { Scope } from './params.ts';

export interface LinearOptions {
  readonly bias?: boolean;
  readonly init?: Init;
}

/** `x W^T + b` for `x [.., in]`; the weight is `[out, in]`, as checkpoints store it. */
export function linear(p: Scope, x: Value, outWidth: number, options: LinearOptions = {}): Value {
  return p.build(() => {
    const inWidth = x.shape.at(-1) as number;
    const weight = () => p.param('weight', [outWidth, inWidth], options.init ?? normal(0.02), { linear: true });
    const quantized = p.trace.quantized?.get(p.at('weight').path);
    const product = quantized ? quantizedMatmul(x, quantized) : matmul(x, weight(), { transB: true });
    const bias = (options.bias ?? true) ? p.param('bias', [outWidth], zerosInit) : undefined;
    return withLora(p, { x, product, weight, outWidth, bias });
  });
}
