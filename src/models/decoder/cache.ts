import type { Value } from '../../graph/index.ts';

/** How large a decoder's key-value cache is, apart from batch and capacity. */
export interface CacheShape {
  readonly layers: number;
  readonly kvHeads: number;
  readonly headSize: number;
}

/** A cache as graph inputs; each key or value tensor is `[B, kvHeads, capacity, headSize]`. */
export interface CacheInputs {
  readonly capacity: number;
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
