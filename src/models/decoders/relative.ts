import { int32 } from '../../base/index.ts';
import { add, gather, maximum, minimum, sub, type Value } from '../../graph/index.ts';
import { normal, type Scope } from '../../nn/index.ts';

/** A bias of scores that depends on how far a key is from its query (Raffel et al. 2020, 2.1). */
export interface RelativeBias {
  readonly heads: number;
  readonly buckets: number;
  readonly maxDistance: number;
  /** Whether keys behind their query are told from those in front. */
  readonly bidirectional: boolean;
}

/**
 * The bucket of a distance `key - query`: half of them for single steps, the other half for spans that grow with the
 * distance and end at `maxDistance`. Rounded to float32 at every step as PyTorch does.
 */
export function relativeBucket(distance: number, { buckets, maxDistance, bidirectional }: RelativeBias): number {
  const sided = bidirectional ? buckets / 2 : buckets;
  const offset = bidirectional && distance > 0 ? sided : 0;
  const steps = bidirectional ? Math.abs(distance) : Math.max(-distance, 0);
  const exact = Math.floor(sided / 2);
  if (steps < exact) return offset + steps;
  const grown = Math.fround(Math.fround(Math.log(Math.fround(steps / exact))) / Math.log(maxDistance / exact));
  return offset + Math.min(exact + Math.trunc(Math.fround(grown * (sided - exact))), sided - 1);
}

/** The bias `[.., heads]` of int64 positions of queries and keys that broadcast to `[..]`; its table is below `p`. */
export function relativeBias(p: Scope, plan: RelativeBias, query: Value, key: Value): Value {
  const { heads, buckets, maxDistance } = plan;
  return p.build(() => {
    const table = p.param('weight', [buckets, heads], normal(1 / Math.sqrt(buckets)));
    const places = Array.from({ length: 2 * maxDistance + 1 }, (_, i) => relativeBucket(i - maxDistance, plan));
    const byDistance = gather(table, p.graph.constant(int32([places.length], places)));
    const distance = minimum(maximum(sub(key, query), -maxDistance), maxDistance);
    return gather(byDistance, add(distance, maxDistance));
  });
}
