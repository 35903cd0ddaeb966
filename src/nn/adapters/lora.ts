import { Random } from '../../base/index.ts';
import { add, dropout, matmul, type Value } from '../../graph/index.ts';
import { kaimingUniform, zerosInit } from '../init.ts';
import type { Scope } from '../params.ts';

/**
 * Adds the low-rank path of a linear layer at `p` to its output, when the trace adapts that layer. Its input is dropped
 * out when the trace has a seed for that, each layer's by a mask of its own.
 */
export function withLora(p: Scope, x: Value, y: Value, inWidth: number, outWidth: number): Value {
  const { lora, dropoutSeed } = p.trace;
  if (!lora?.targets(p.path)) return y;
  const a = p.param('lora_A.weight', [lora.r, inWidth], kaimingUniform(inWidth));
  const b = p.param('lora_B.weight', [outWidth, lora.r], zerosInit);
  const rate = dropoutSeed ? (lora.dropout?.rate ?? 0) : 0;
  const kept = dropoutSeed && rate > 0 ? dropout(x, dropoutSeed, saltOf(p.path), rate) : x;
  // What survives is scaled up by 1/(1-rate), which costs nothing here.
  const alpha = lora.alpha / lora.r / (1 - rate);
  return add(y, matmul(matmul(kept, a, { transB: true }), b, { transB: true, alpha }));
}

function saltOf(path: string): number {
  return new Random(0, 'dropout', path).bits();
}
