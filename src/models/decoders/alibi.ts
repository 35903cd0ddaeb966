import type { Dim } from '../../base/index.ts';
import { float32 } from '../../base/index.ts';
import { cast, concat, expand, fill, reshape, slice, type Value } from '../../graph/index.ts';
import { alibiSlopes } from '../../nn/index.ts';

/**
 * Attention with linear biases over kept keys, whose operator takes no bias. A score may gain anything that is the same for
 * all keys of a query, so a key at position j gains `slope * j`: one more number of each head, the slope in the query and
 * the position in the key. A second one keeps the size even.
 */
export const DISTANCE_NUMBERS = 2;

interface Heads {
  readonly heads: number;
  readonly headSize: number;
  /** What scores are multiplied by. */
  readonly scale: number;
}

/** Queries, keys and values `[B, S, heads*d]` with the numbers added; `positions` int64 `[B, S]`. */
export function withDistances(
  { query, key, value }: { readonly query: Value; readonly key: Value; readonly value: Value },
  positions: Value,
  { heads, headSize, scale }: Heads,
): { readonly query: Value; readonly key: Value; readonly value: Value } {
  const { graph } = query.node;
  const [b, s] = query.shape as [Dim, Dim, number];
  const added = [b, s, heads, 1];
  const zero = fill(graph, added, 'float32', 0);
  const widened = (x: Value, number: Value) =>
    reshape(concat([reshape(x, [b, s, heads, headSize]), number, zero], 3), [
      b,
      s,
      heads * (headSize + DISTANCE_NUMBERS),
    ]);
  const slopes = alibiSlopes(heads).map((slope) => slope / scale);
  const places = reshape(cast(positions, 'float32'), [b, s, 1, 1]);
  return {
    query: widened(query, expand(graph.constant(float32([1, 1, heads, 1], slopes)), added)),
    key: widened(key, expand(places, added)),
    value: widened(value, zero),
  };
}

/** Mixed values `[B, S, heads*d]` without the numbers added. */
export function withoutDistances(mixed: Value, { heads, headSize }: Pick<Heads, 'heads' | 'headSize'>): Value {
  const [b, s] = mixed.shape as [Dim, Dim, number];
  const perHead = reshape(mixed, [b, s, heads, headSize + DISTANCE_NUMBERS]);
  return reshape(slice(perHead, 3, 0, headSize), [b, s, heads * headSize]);
}
