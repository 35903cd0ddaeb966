import type { Named } from '../../base/index.ts';
import type { Value } from '../../graph/index.ts';
import type { Decoder, DecoderState } from './decoder.ts';

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

/** The cache of a decoder whose state is a key and a value of one size for every layer. */
export function cacheShape({ state }: Decoder): CacheShape {
  const [, kvHeads, , headSize] = state['key.0'] as readonly [string, number, string, number];
  return { layers: Object.keys(state).length / 2, kvHeads, headSize };
}

export function stateOf({ keys, values, lastPosition, total }: CacheInputs): DecoderState {
  const named = (part: string, list: readonly Value[]) => list.map((value, i) => [`${part}.${i}`, value] as const);
  return { values: Object.fromEntries([...named('key', keys), ...named('value', values)]), lastPosition, total };
}

export function cacheOf(state: Named<Value>): CacheOutputs {
  const list = (part: string) =>
    Object.entries(state).flatMap(([name, value]) => (name.startsWith(part) ? [value] : []));
  return { keys: list('key.'), values: list('value.') };
}
