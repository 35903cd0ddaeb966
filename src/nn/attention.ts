import type { Dim } from '../base/index.ts';
import {
  add,
  cast,
  fill,
  type Graph,
  iota,
  less,
  matmul,
  reshape,
  softmaxMatmul,
  transpose,
  type Value,
  where,
} from '../graph/index.ts';

/** Stands for minus infinity: a row of true infinities would turn into NaN. */
const MASKED = -1e9;

/** `[T, T]` bias that hides later positions: 0 on and below the diagonal, a large negative number above. */
export function causalBias(graph: Graph, size: Dim): Value {
  const row = reshape(iota(graph, size), [size, 1]);
  const column = reshape(iota(graph, size), [1, size]);
  return where(less(row, column), fill(graph, [], 'float32', MASKED), fill(graph, [], 'float32', 0));
}

/** `[B, 1, 1, S]` bias from a mask `[B, S]` that is 1 where a key may be seen. */
export function keyBias(mask: Value): Value {
  const [b, s] = mask.shape as [Dim, Dim];
  const hidden = less(cast(mask, 'float32'), fill(mask.node.graph, [], 'float32', 0.5));
  return reshape(where(hidden, fill(mask.node.graph, [], 'float32', MASKED), fill(mask.node.graph, [], 'float32', 0)), [
    b,
    1,
    1,
    s,
  ]);
}

export interface AttentionOptions {
  readonly heads: number;
  /** Key and value heads; each serves `heads / kvHeads` query heads. Default `heads`. */
  readonly kvHeads?: number;
  /** Added to the scores `[B, heads, T, S]`, broadcast. */
  readonly bias?: Value;
  /** Default 1/sqrt(head size). */
  readonly scale?: number;
}

/** Scaled dot-product attention of `q [B, T, heads*d]` over `k, v [B, S, kvHeads*d]`; gives `[B, T, heads*d]`. */
export function attention(q: Value, k: Value, v: Value, options: AttentionOptions): Value {
  const { heads, kvHeads = options.heads, bias } = options;
  const [b, t, width] = q.shape as [Dim, Dim, number];
  const size = width / heads;
  const scale = options.scale ?? 1 / Math.sqrt(size);
  const biased = (scores: Value) => (bias ? add(scores, bias) : scores);
  if (kvHeads === heads) {
    const [query, key, value] = [q, k, v].map((x) => splitHeads(x, heads)) as [Value, Value, Value];
    const mixed = softmaxMatmul(biased(matmul(query, key, { transB: true, alpha: scale })), value);
    return reshape(transpose(mixed, [0, 2, 1, 3]), [b, t, width]);
  }
  // Query heads that share a key head become rows of one product: [B, kvHeads, group*T, d].
  const group = heads / kvHeads;
  const s = k.shape[1] as Dim;
  const query = reshape(splitHeads(q, heads), [b, kvHeads, -1, size]);
  const scores = matmul(query, splitHeads(k, kvHeads), { transB: true, alpha: scale });
  const hidden = reshape(biased(reshape(scores, [b, heads, t, s])), [b, kvHeads, -1, s]);
  const mixed = reshape(softmaxMatmul(hidden, splitHeads(v, kvHeads)), [b, kvHeads, group, t, size]);
  return reshape(transpose(mixed, [0, 3, 1, 2, 4]), [b, t, width]);
}

/** `[B, T, heads*d]` to `[B, heads, T, d]`. */
function splitHeads(x: Value, heads: number): Value {
  const [b, t, width] = x.shape as [Dim, Dim, number];
  return transpose(reshape(x, [b, t, heads, width / heads]), [0, 2, 1, 3]);
}
