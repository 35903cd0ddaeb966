import type { Dim } from '../../base/index.ts';
import { cachedAttention, mul, pad, reshape, slice, type Value } from '../../graph/index.ts';

/** How large a decoder's key-value cache is, apart from batch and capacity. */
export interface CacheShape {
  readonly layers: number;
  readonly kvHeads: number;
  readonly headSize: number;
}

/** A cache as graph inputs; each key or value tensor is `[B, kvHeads, C, headSize]` with a capacity C that runs decide. */
export interface CacheInputs {
  readonly keys: readonly Value[];
  readonly values: readonly Value[];
  /** int32 `[B]`: index of each row's last valid position after this call. */
  readonly lastPosition: Value;
  /** int32 `[]`: the largest number of valid positions after this call. */
  readonly total: Value;
}

/** The same tensors after the call; empty without a cache. */
export interface CacheOutputs {
  readonly keys: readonly Value[];
  readonly values: readonly Value[];
}

/** The head size of a cache: ONNX Runtime's cached attention takes multiples of 16, so other heads are widened. */
export function cachedHeadSize(headSize: number): number {
  return Math.ceil(headSize / 16) * 16;
}

export interface CachedHeads {
  /** `[B, S, heads*d]`, not yet rotated. */
  readonly query: Value;
  /** `[B, S, kvHeads*d]`, not yet rotated. */
  readonly key: Value;
  readonly value: Value;
  /** Rotary tables `[positions, d/2]`. */
  readonly cos: Value;
  readonly sin: Value;
}

/** Causal attention of one layer over a cache; gives `[B, S, heads*d]` and the layer's cache with the tokens added. */
export function attendCached(
  x: CachedHeads,
  cache: CacheInputs,
  layer: number,
  { heads, kvHeads, headSize }: { readonly heads: number; readonly kvHeads: number; readonly headSize: number },
): { readonly out: Value; readonly key: Value; readonly value: Value } {
  const extra = (cachedHeadSize(headSize) - headSize) / 2;
  const past = { pastKey: cache.keys[layer] as Value, pastValue: cache.values[layer] as Value };
  const shared = { ...past, lastPosition: cache.lastPosition, total: cache.total };
  if (extra === 0) return cachedAttention({ ...x, ...shared }, heads, kvHeads);
  // Scores are divided by the root of the widened size.
  const scale = Math.sqrt((headSize + 2 * extra) / headSize);
  const widened = {
    query: mul(widenHeads(x.query, heads, headSize, extra), scale),
    key: widenHeads(x.key, kvHeads, headSize, extra),
    value: widenHeads(x.value, kvHeads, headSize, extra),
    cos: pad(x.cos, 1, 0, extra),
    sin: pad(x.sin, 1, 0, extra),
  };
  const { out, ...present } = cachedAttention({ ...widened, ...shared }, heads, kvHeads);
  return { out: narrowHeads(out, heads, headSize, extra), ...present };
}

/** Puts `extra` zeros behind each half of every head, so that rotation still pairs the halves. */
function widenHeads(x: Value, heads: number, headSize: number, extra: number): Value {
  const [b, t] = x.shape as [Dim, Dim, number];
  const halves = reshape(x, [b, t, 2 * heads, headSize / 2]);
  return reshape(pad(halves, 3, 0, extra), [b, t, heads * (headSize + 2 * extra)]);
}

function narrowHeads(x: Value, heads: number, headSize: number, extra: number): Value {
  const [b, t] = x.shape as [Dim, Dim, number];
  const halves = reshape(x, [b, t, 2 * heads, headSize / 2 + extra]);
  return reshape(slice(halves, 3, 0, headSize / 2), [b, t, heads * headSize]);
}
