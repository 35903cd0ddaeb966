import { add, matmul, type Value } from '../../graph/index.ts';
import { kaimingUniform, zerosInit } from '../init.ts';
import type { Scope } from '../params.ts';

/** Low-rank adaptation (Hu et al. 2021): `y = W x + alpha/r B(A x)` on the selected linear layers. */
export interface Lora {
  readonly r: number;
  readonly alpha: number;
  /** True for the paths of the linear layers to adapt. */
  readonly targets: (path: string) => boolean;
}

/** Adds the low-rank path of a linear layer at `p` to its output, when the trace adapts that layer. */
export function withLora(p: Scope, x: Value, y: Value, inWidth: number, outWidth: number): Value {
  const lora = p.trace.lora;
  if (!lora?.targets(p.path)) return y;
  const a = p.param('lora_A.weight', [lora.r, inWidth], kaimingUniform(inWidth));
  const b = p.param('lora_B.weight', [outWidth, lora.r], zerosInit);
  return add(y, matmul(matmul(x, a, { transB: true }), b, { transB: true, alpha: lora.alpha / lora.r }));
}
