import { matmul, type Value } from '../../graph/index.ts';
import { type Init, linear, type Scope } from '../../nn/index.ts';

/** The head of a decoder and the table of embeddings that it may share. */
interface Head {
  /** Whether the table of embeddings is the head too. */
  readonly tied: boolean;
  readonly vocabSize: number;
  /** Where the table is, below the decoder's own scope. */
  readonly table: string;
  /** How the table starts. */
  readonly embedding: Init;
  /** Where a head of its own is; `lm_head` unless told. */
  readonly own?: string | undefined;
  /** How a head of its own starts. */
  readonly init: Init;
}

/** Logits `[.., V]` of states `[.., D]`, by the table of embeddings or by a matrix of its own. */
export function tokenLogits(p: Scope, hidden: Value, head: Head): Value {
  const { tied, vocabSize, table, embedding, own = 'lm_head', init } = head;
  if (!tied) return linear(p.at(own), hidden, vocabSize, { bias: false, init });
  return p.at(own).build(() => {
    const weight = p.at(table).param('weight', [vocabSize, hidden.shape.at(-1) as number], embedding);
    return matmul(hidden, weight, { transB: true });
  });
}
