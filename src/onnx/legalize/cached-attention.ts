import { type Dim, dtypeInfo, full, int64, mulDims, type Shape } from '../../base/index.ts';
import {
  type CachedAttentionAttrs,
  type CachedAttentionOperands,
  type Each,
  type Emitter,
  MICROSOFT,
  type Spec,
} from '../../graph/index.ts';

/** Attention over a key-value cache from plain operators; inputs, outputs and meaning are those of `CachedAttention`. */
export function emitCachedAttention(
  e: Emitter,
  [query, key, value, pastKey, pastValue, lastPosition, total, ...tables]: Each<CachedAttentionOperands, string>,
  { heads, kvHeads, scale, softcap, window }: CachedAttentionAttrs,
  { inputs: [rows, , , past] }: { readonly inputs: Each<CachedAttentionOperands, Spec> },
): readonly string[] {
  const [b, s] = rows.shape as [Dim, Dim];
  const [, , capacity, size] = past.shape as [Dim, Dim, Dim, number];
  const group = heads / kvHeads;
  const reshape = (x: string, shape: Shape) => e.node('Reshape', [x, e.dims(shape)]);
  const exchange = (x: string) => e.node('Transpose', [x], { perm: [0, 2, 1, 3] });
  const positions = positionsOf(e, lastPosition, total, s);
  const rotate = (x: string) =>
    tables.length > 0 ? e.node('RotaryEmbedding', [x, positions, ...tables], { interleaved: 0 }, MICROSOFT) : x;

  // The rows of all caches in one list, b after b, in which every new row has its place.
  const starts = e.node('Mul', [range(e, b), e.dims([capacity])]);
  const places = e.node('Add', [positions, e.node('Unsqueeze', [starts, vector(e, 1)])]);
  const index = e.node('Reshape', [places, vector(e, -1, 1)]);
  const extend = (past: string, rows: string) => {
    const list = e.node('Reshape', [exchange(past), vector(e, -1, kvHeads * size)]);
    const updates = e.node('Reshape', [rows, vector(e, -1, kvHeads * size)]);
    return exchange(reshape(e.node('ScatterND', [list, index, updates]), [b, capacity, kvHeads, size]));
  };
  const presentKey = extend(pastKey, rotate(key));
  const presentValue = extend(pastValue, value);

  // Heads that share a key stand under one another, so that no key is repeated.
  const grouped = reshape(exchange(reshape(rotate(query), [b, s, heads, size])), [b, kvHeads, mulDims(s, group), size]);
  const product = e.node('MatMul', [grouped, e.node('Transpose', [presentKey], { perm: [0, 1, 3, 2] })]);
  const scaled = e.node('Mul', [product, scalar(e, scale ?? 1 / Math.sqrt(size))]);
  const scores = reshape(softcap === undefined ? scaled : capped(e, scaled, softcap), [b, heads, s, capacity]);
  const seen = seenKeys(e, positions, capacity, window);
  const weights = e.node('Softmax', [e.node('Where', [seen, scores, scalar(e, -1e9)])], { axis: -1 });
  const mixed = e.node('MatMul', [reshape(weights, [b, kvHeads, mulDims(s, group), capacity]), presentValue]);
  const out = reshape(exchange(reshape(mixed, [b, heads, s, size])), [b, s, heads * size]);
  return [out, presentKey, presentValue];
}

function capped(e: Emitter, scores: string, softcap: number): string {
  const turned = e.node('Tanh', [e.node('Mul', [scores, scalar(e, 1 / softcap)])]);
  return e.node('Mul', [turned, scalar(e, softcap)]);
}

/** `[B, 1, S, capacity]`: true for the keys that a query at each of `positions [B, S]` sees. */
function seenKeys(e: Emitter, positions: string, capacity: Dim, window: number | undefined): string {
  const keys = asFloat(e, range(e, capacity));
  const queries = e.node('Unsqueeze', [asFloat(e, positions), vector(e, 1, 3)]);
  const before = e.node('LessOrEqual', [keys, queries]);
  if (window === undefined) return before;
  return e.node('And', [before, e.node('Greater', [keys, e.node('Sub', [queries, scalar(e, window)])])]);
}

/** Positions `[B, S]`: 0 to S - 1 where a prompt is read, padding included, else the S that end at the last one. */
function positionsOf(e: Emitter, lastPosition: string, total: string, s: Dim): string {
  const wide = (x: string) => e.node('Cast', [x], { to: dtypeInfo.int64.onnx });
  const length = e.dims([s]);
  const isPrompt = e.node('Equal', [wide(total), length]);
  const before = e.node('Sub', [e.node('Add', [wide(lastPosition), vector(e, 1)]), length]);
  const start = e.node('Where', [isPrompt, vector(e, 0), before]);
  return e.node('Add', [e.node('Unsqueeze', [start, vector(e, 1)]), range(e, s)]);
}

/** int64 `[size]`: 0, 1, 2 .. */
function range(e: Emitter, size: Dim): string {
  const end = e.node('Squeeze', [e.dims([size])]);
  return e.node('Range', [e.constant(int64([], [0])), end, e.constant(int64([], [1]))]);
}

function asFloat(e: Emitter, x: string): string {
  return e.node('Cast', [x], { to: dtypeInfo.float32.onnx });
}

function scalar(e: Emitter, value: number): string {
  return e.constant(full('float32', [], value));
}

function vector(e: Emitter, ...values: readonly number[]): string {
  return e.constant(int64([values.length], values));
}
