import { type Dim, floorDim, mulDims, subDims } from '../base/index.ts';
import {
  add,
  cast,
  concat,
  fill,
  type Graph,
  iota,
  less,
  matmul,
  reshape,
  slice,
  softCap,
  softmaxMatmul,
  split,
  sub,
  transpose,
  type Value,
  where,
} from '../graph/index.ts';

/** Stands for minus infinity: a row of true infinities would turn into NaN. */
const MASKED = -1e9;

/**
 * `[T, T]` bias that hides later positions: 0 on and below the diagonal, a large negative number above.
 * @param window hides those too that are `window` or more positions back
 */
export function causalBias(graph: Graph, size: Dim, window?: number): Value {
  const row = reshape(iota(graph, size), [size, 1]);
  const column = reshape(iota(graph, size), [1, size]);
  const masked = fill(graph, [], 'float32', MASKED);
  const bias = where(less(row, column), masked, fill(graph, [], 'float32', 0));
  if (window === undefined) return bias;
  return where(less(sub(row, window), column), bias, masked);
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

/** Queries `from..to` of a causal attention: of the keys they see the first `to`. */
export interface CausalBlock {
  readonly from: Dim;
  readonly to: Dim;
  /** `[to - from, to]`: hides what comes later. */
  readonly bias: Value;
}

/**
 * Cuts a causal attention over `size` positions into blocks of queries, the last one taking what is left over. Of the
 * scores, which causality makes half useless, `(count + 1) / (2 count)` are computed.
 * @param window as in `causalBias`
 */
export function causalBlocks(graph: Graph, size: Dim, count: number, window?: number): readonly CausalBlock[] {
  const bias = causalBias(graph, size, window);
  const starts = Array.from({ length: count }, (_, i) => mulDims(floorDim(size, count), i));
  return starts.map((from, i) => {
    const to = starts[i + 1] ?? size;
    return { from, to, bias: slice(slice(bias, 0, from, to), 1, 0, to) };
  });
}

export interface AttentionOptions {
  readonly heads: number;
  /** Key and value heads; each serves `heads / kvHeads` query heads. Default `heads`. */
  readonly kvHeads?: number | undefined;
  /** Added to the scores `[B, heads, T, S]`, broadcast; `[T, S]` at least. */
  readonly bias?: Value | undefined;
  /** Makes the attention causal, T and S being the same; their biases are added to `bias`. */
  readonly blocks?: readonly CausalBlock[] | undefined;
  /** Default 1/sqrt(head size). */
  readonly scale?: number | undefined;
  /** Scores become `softcap * tanh(score / softcap)` before any bias (Gemma 2). */
  readonly softcap?: number | undefined;
}

/**
 * Scaled dot-product attention (Vaswani et al. 2017) of `q [B, T, heads*d]` over `k, v [B, S, kvHeads*d]`, which may come
 * from elsewhere; gives `[B, T, heads*d]`.
 */
export function attention(q: Value, k: Value, v: Value, options: AttentionOptions): Value {
  const { heads, kvHeads = heads, bias, blocks } = options;
  const [b, t, width] = q.shape as [Dim, Dim, number];
  const scale = options.scale ?? 1 / Math.sqrt(width / heads);
  const [query, key, value] = [splitHeads(q, heads), splitHeads(k, kvHeads), splitHeads(v, kvHeads)];
  const way = { scale, softcap: options.softcap, bias };
  const mixed = blocks ? inBlocks(query, key, value, blocks, way) : attend(query, key, value, way);
  return reshape(transpose(mixed, [0, 2, 1, 3]), [b, t, width]);
}

/** How scores are made. */
interface Way {
  readonly scale: number;
  readonly softcap: number | undefined;
  readonly bias: Value | undefined;
}

function inBlocks(query: Value, key: Value, value: Value, blocks: readonly CausalBlock[], way: Way): Value {
  const sizes = blocks.map(({ from, to }) => subDims(to, from));
  const parts = split(query, 2, sizes).map((part, i) => {
    const block = blocks[i] as CausalBlock;
    const [keys, values] = [slice(key, 2, 0, block.to), slice(value, 2, 0, block.to)];
    const bias = way.bias ? add(biasOf(block, way.bias), block.bias) : block.bias;
    return attend(part, keys, values, { ...way, bias });
  });
  return concat(parts, 2);
}

/** What a block sees of a bias `[.., T or 1, S or 1]`. */
function biasOf({ from, to }: CausalBlock, bias: Value): Value {
  const rows = bias.shape.at(-2) === 1 ? bias : slice(bias, -2, from, to);
  return rows.shape.at(-1) === 1 ? rows : slice(rows, -1, 0, to);
}

/** `query [B, heads, T, d]` over `key, value [B, kvHeads, S, d]`; gives the shape of the query. */
function attend(query: Value, key: Value, value: Value, { scale, softcap, bias }: Way): Value {
  const [b, heads, t, size] = query.shape as [Dim, number, Dim, number];
  const [, kvHeads, s] = key.shape as [Dim, number, Dim, number];
  const capped = (scores: Value) => (softcap === undefined ? scores : softCap(scores, softcap));
  const biased = (scores: Value) => (bias ? add(capped(scores), bias) : capped(scores));
  if (kvHeads === heads) return softmaxMatmul(biased(matmul(query, key, { transB: true, alpha: scale })), value);
  // Query heads that share a key head become rows of one product: [B, kvHeads, group*T, d].
  const rows = mulDims(t, heads / kvHeads);
  const scores = matmul(reshape(query, [b, kvHeads, rows, size]), key, { transB: true, alpha: scale });
  const hidden = reshape(biased(reshape(scores, [b, heads, t, s])), [b, kvHeads, rows, s]);
  return reshape(softmaxMatmul(hidden, value), query.shape);
}

/** `[B, T, heads*d]` to `[B, heads, T, d]`. */
function splitHeads(x: Value, heads: number): Value {
  const [b, t, width] = x.shape as [Dim, Dim, number];
  return transpose(reshape(x, [b, t, heads, width / heads]), [0, 2, 1, 3]);
}
