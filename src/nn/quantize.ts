import type { Tensor } from '../base/index.ts';
import { float32, zeros } from '../base/index.ts';
import type { QuantizedMatrix } from '../graph/index.ts';

export interface QuantizeOptions {
  readonly bits: 4 | 8;
  /** Elements that share a scale. */
  readonly block: number;
}

/**
 * Rounds a matrix `[N, K]` to few bits, block by block along its rows: the range from the least to the greatest element,
 * zero included, is cut into `2^bits - 1` steps (asymmetric rounding to the nearest). No element moves by more than
 * half a step, but for the rounding of the zero point another half.
 */
export function quantizeMatrix(weight: Tensor<'float32'>, { bits, block }: QuantizeOptions): QuantizedMatrix {
  const [rows, columns] = weight.shape as [number, number];
  const blocks = Math.ceil(columns / block);
  const most = 2 ** bits - 1;
  const packed = zeros('uint8', [rows, blocks, (block * bits) / 8]);
  const scales = float32([rows * blocks], new Float32Array(rows * blocks));
  const points = zeros('uint8', [rows, Math.ceil((blocks * bits) / 8)]);
  const put = bits === 4 ? putHalf : putWhole;
  for (let row = 0; row < rows; row++) {
    for (let b = 0; b < blocks; b++) {
      const values = weight.data.subarray(
        row * columns + b * block,
        row * columns + Math.min((b + 1) * block, columns),
      );
      const { scale, zero } = rangeOf(values, most);
      scales.data[row * blocks + b] = scale;
      put(points.data, row * (points.shape[1] as number), b, zero);
      const at = (row * blocks + b) * ((block * bits) / 8);
      for (let i = 0; i < block; i++) {
        const level = i < values.length ? Math.round((values[i] as number) / scale) + zero : zero;
        put(packed.data, at, i, Math.min(Math.max(level, 0), most));
      }
    }
  }
  return { rows, columns, bits, block, packed, scales, zeros: points };
}

/** The matrix that the rounded numbers stand for. */
export function dequantizeMatrix(w: QuantizedMatrix): Tensor<'float32'> {
  const { rows, columns, bits, block } = w;
  const blocks = Math.ceil(columns / block);
  const get = bits === 4 ? getHalf : getWhole;
  const out = zeros('float32', [rows, columns]);
  const points = w.zeros;
  for (let i = 0; i < out.data.length; i++) {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const b = Math.floor(column / block);
    const zero = points ? get(points.data, row * (points.shape[1] as number), b) : 2 ** (bits - 1);
    const level = get(w.packed.data, (row * blocks + b) * ((block * bits) / 8), column % block);
    out.data[i] = (level - zero) * (w.scales.data[row * blocks + b] as number);
  }
  return out;
}

/** The step between levels, as a float32, and the level that stands for 0. */
function rangeOf(values: Float32Array, most: number): { scale: number; zero: number } {
  let [low, high] = [0, 0];
  for (const x of values) {
    if (x < low) low = x;
    else if (x > high) high = x;
  }
  const scale = Math.fround((high - low) / most) || 1;
  return { scale, zero: Math.min(Math.round(-low / scale), most) };
}

function putHalf(bytes: Uint8Array, from: number, index: number, level: number): void {
  const at = from + (index >> 1);
  bytes[at] = (bytes[at] as number) | (index % 2 === 0 ? level : level << 4);
}

function getHalf(bytes: Uint8Array, from: number, index: number): number {
  const both = bytes[from + (index >> 1)] as number;
  return index % 2 === 0 ? both & 15 : both >> 4;
}

function putWhole(bytes: Uint8Array, from: number, index: number, level: number): void {
  bytes[from + index] = level;
}

function getWhole(bytes: Uint8Array, from: number, index: number): number {
  return bytes[from + index] as number;
}
