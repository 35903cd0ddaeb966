import { formatShape } from '../../base/index.ts';
import type { Value } from '../node.ts';
import { type EmitAttribute, MICROSOFT, type Op, shapeFault } from '../op.ts';

export interface CachedAttentionAttrs {
  readonly heads: number;
  readonly kvHeads: number;
  /** Whether queries and keys are rotated here. */
  readonly rotary: boolean;
  /** Of the scores; 1/sqrt(head size) unless told. */
  readonly scale?: number | undefined;
  /** Scores become `softcap * tanh(score / softcap)`. */
  readonly softcap?: number | undefined;
  /** How many positions a token sees, itself included; all before it unless told. */
  readonly window?: number | undefined;
}

/** The tables of the rotary embedding are left out where nothing is rotated. */
export type CachedAttentionOperands = [
  query: Value,
  key: Value,
  value: Value,
  pastKey: Value,
  pastValue: Value,
  lastPosition: Value,
  total: Value,
  ...([] | [cos: Value, sin: Value]),
];

const cachedAttentionOp: Op<CachedAttentionAttrs, CachedAttentionOperands, [Value, Value, Value]> = {
  name: 'CachedAttention',
  infer([query, key, , past, pastValue], { heads, kvHeads }) {
    const size = past.shape[3] as number;
    if (query.shape[2] !== heads * size || key.shape[2] !== kvHeads * size) {
      throw shapeFault('heads and cache disagree', {
        expected: `q width ${heads * size}, k width ${kvHeads * size}`,
        got: formatShape(key.shape),
      });
    }
    return [query, past, pastValue];
  },
  gradient: null,
  emit: (e, x, attrs) => e.nodes('GroupQueryAttention', 3, x, groupQueryAttributes(attrs), MICROSOFT),
};

function groupQueryAttributes(attrs: CachedAttentionAttrs): Record<string, EmitAttribute> {
  const { heads, kvHeads, rotary, scale, softcap, window } = attrs;
  return {
    num_heads: heads,
    kv_num_heads: kvHeads,
    do_rotary: rotary ? 1 : 0,
    rotary_interleaved: 0,
    ...(scale !== undefined && { scale: { float: scale } }),
    ...(softcap !== undefined && { softcap: { float: softcap } }),
    ...(window !== undefined && { local_window_size: window }),
  };
}

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
  /** Tables of the rotary embedding, `[positions, d/2]`; without them nothing is rotated. */
  readonly rotary?: { readonly cos: Value; readonly sin: Value } | undefined;
}

/** Causal grouped-query attention over a key-value cache, with rotary embedding where it has tables. Inference only. */
export function cachedAttention(
  x: CachedAttentionInputs,
  attrs: Omit<CachedAttentionAttrs, 'rotary'>,
): { readonly out: Value; readonly key: Value; readonly value: Value } {
  const tables: [] | [Value, Value] = x.rotary ? [x.rotary.cos, x.rotary.sin] : [];
  const inputs: CachedAttentionOperands = [
    x.query,
    x.key,
    x.value,
    x.pastKey,
    x.pastValue,
    x.lastPosition,
    x.total,
    ...tables,
  ];
  const all = { ...attrs, rotary: x.rotary !== undefined };
  const [out, key, value] = x.query.node.graph.applyAll(cachedAttentionOp, inputs, all);
  return { out, key, value };
}
