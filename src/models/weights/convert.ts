import type { HostArrays } from '../../base/index.ts';
import { fromBfloat16Bits, fromFloat16Bits, toBfloat16Bits, toFloat16Bits } from '../../base/index.ts';

/** Precisions that weights can be saved in. */
export type SaveDType = 'float32' | 'float16' | 'bfloat16';

type Half = 'float16' | 'bfloat16';

/** All 65536 values of a half type, made when first needed: a look-up beats arithmetic a dozen times. */
const tables: { [H in Half]?: Float32Array } = {};

function tableOf(dtype: Half): Float32Array {
  const known = tables[dtype];
  if (known) return known;
  const value = dtype === 'float16' ? fromFloat16Bits : fromBfloat16Bits;
  const table = Float32Array.from({ length: 1 << 16 }, (_, bits) => value(bits));
  tables[dtype] = table;
  return table;
}

/**
 * Converts stored numbers to float32. Returns the index of the first finite float64 that float32 cannot hold,
 * undefined when all went well.
 */
export function widen<D extends Half | 'float64'>(dtype: D, from: HostArrays[D], to: Float32Array): number | undefined {
  if (dtype === 'float64') {
    to.set(from as Float64Array);
    return firstLost(from as Float64Array, to);
  }
  const table = tableOf(dtype as Half);
  const bits = from as Uint16Array;
  for (let i = 0; i < bits.length; i++) to[i] = table[bits[i] as number] as number;
  return undefined;
}

/** Rounds float32 to a half type, nearest even. Returns the index of the first finite number that became infinite. */
export function narrow(dtype: Half, from: Float32Array, to: Uint16Array): number | undefined {
  const round = dtype === 'float16' ? toFloat16Bits : toBfloat16Bits;
  const infinity = dtype === 'float16' ? 0x7c00 : 0x7f80;
  let lost: number | undefined;
  for (let i = 0; i < from.length; i++) {
    const bits = round(from[i] as number);
    to[i] = bits;
    if ((bits & 0x7fff) === infinity && lost === undefined && Number.isFinite(from[i])) lost = i;
  }
  return lost;
}

function firstLost(from: Float64Array, to: Float32Array): number | undefined {
  const at = to.findIndex((value, i) => !Number.isFinite(value) && Number.isFinite(from[i]));
  return at < 0 ? undefined : at;
}
