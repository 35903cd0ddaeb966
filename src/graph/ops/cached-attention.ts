import { formatShape } from '../../base/index.ts';
import type { Value } from '../node.ts';
import { MICROSOFT, type Op, type Spec, shapeFault } from '../op.ts';

export interface CachedAttentionAttrs {
  readonly heads: number;
  readonly kvHeads: number;
}

const cachedAttentionOp: Op<CachedAttentionAttrs> = {
  name: 'CachedAttention',
  infer([q, k, , pastKey, pastValue], { heads, kvHeads }) {
    const [query, key, past] = [q as Spec, k as Spec, pastKey as Spec];
    const size = past.shape[3] as number;
    if (query.shape[2] !== heads * size || key.shape[2] !== kvHeads * size) {
      throw shapeFault('heads and cache disagree', {
        expected: `q width ${heads * size}, k width ${kvHeads * size}`,
        got: formatShape(key.shape),
      });
    }
    return [query, past, pastValue as Spec];
  },
  gradient: null,
  emit: (e, x, { heads, kvHeads }) =>
    e.nodes(
      'GroupQueryAttention',
      3,
      x,
      { num_heads: heads, kv_num_heads: kvHeads, do_rotary: 1, rotary_interleaved: 0 },
      MICROSOFT,
    ),
};

export interface CachedAttentionInputs {
  /** `[B, S, heads*d]`, not yet rotated. */
  readonly query: Value;
  /** `[B, S, kvHeads*d]`, not yet rotated. */
  readonly key: Value;
  readonly value: Value;
  /** `[B, kvHeads, capacity, d]`; the outputs of the same shape may be the very same memory. */
  readonly pastKey: Value;
  readonly pastValue: Value;
  /** int32 `[B]`: index of the last valid position of each row after this call. */
  readonly lastPosition: Value;
  /** int32 `[]`: largest number of positions over the rows after this call. */
  readonly total: Value;
  /** `[positions, d/2]`. */
  readonly cos: Value;
  readonly sin: Value;
}

/** Causal grouped-query attention with rotary embedding over a key-value cache. Inference only. */
export function cachedAttention(
  x: CachedAttentionInputs,
  heads: number,
  kvHeads: number,
): { readonly out: Value; readonly key: Value; readonly value: Value } {
  const inputs = [x.query, x.key, x.value, x.pastKey, x.pastValue, x.lastPosition, x.total, x.cos, x.sin];
  const [out, key, value] = x.query.node.graph.applyAll(cachedAttentionOp, inputs, { heads, kvHeads });
  return { out: out as Value, key: key as Value, value: value as Value };
}
