import { matmul, type Value } from '../../graph/index.ts';
import type { Init, Scope } from '../../nn/index.ts';

/** Logits `[.., V]` by the table of embeddings at `table` below `p`. */
export function tiedLogits(p: Scope, hidden: Value, table: string, vocabSize: number, init: Init): Value {
  return p.at('lm_head').build(() => {
    const weight = p.at(table).param('weight', [vocabSize, hidden.shape.at(-1) as number], init);
    return matmul(hidden, weight, { transB: true });
  });
}
