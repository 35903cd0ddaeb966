import { type Dim, mulDims } from '../../base/index.ts';
import type { Value } from '../node.ts';
import { add, bitwiseXor, cast, div, less, mul, scalar, where } from '../ops/elementwise.ts';
import { iota, reshape } from '../ops/shape-ops.ts';

/**
 * Dropout (Srivastava et al. 2014) without its rescaling: elements are zero with probability `rate`. The mask is a pure
 * function of `seed`, `salt` and the element's place, so that a step can be done again exactly and no generator has a
 * state to save. Multiply by `1 / (1 - rate)` where that is cheapest.
 * @param x `[.., C]`.
 * @param seed int32 `[]`, another one for every step.
 * @param salt an integer that tells uses of one seed apart.
 */
export function dropout(x: Value, seed: Value, salt: number, rate: number): Value {
  return where(keepMask(x, seed, salt, rate), x, 0);
}

/**
 * A hash of the row and one of the column are joined and mixed once more: everything costly is done on vectors, and
 * three products and shifts an element are left.
 */
function keepMask(x: Value, seed: Value, salt: number, rate: number): Value {
  const rows = x.shape.slice(0, -1).reduce<Dim>((n, d) => mulDims(n, d), 1);
  const columns = x.shape.at(-1) as Dim;
  const key = mix(bitwiseXor(seed, scalar(seed, salt)));
  const hashes = (size: Dim, from: Value) => mix(add(cast(iota(x.node.graph, size), 'int32'), from));
  const row = reshape(hashes(rows, key), [rows, 1]);
  const column = reshape(hashes(columns, mix(key)), [1, columns]);
  const joined = reshape(bitwiseXor(row, column), x.shape);
  // Signed 32-bit integers below this are the share `rate` of all.
  const threshold = Math.round(rate * 2 ** 32) - 2 ** 31;
  return less(scalar(seed, threshold - 1), spread(joined));
}

/** Mixes the bits of 32-bit integers thoroughly. Products wrap; division by a power of two is the shift that int32 has. */
function mix(x: Value): Value {
  return spread(bitwiseXor(x, div(x, 1 << 16)));
}

/** Carries every bit of a 32-bit integer into the high ones; the factors are odd and otherwise arbitrary. */
function spread(x: Value): Value {
  const once = mul(x, 0x7feb352d);
  return mul(bitwiseXor(once, div(once, 1 << 15)), 0x846ca68b);
}
