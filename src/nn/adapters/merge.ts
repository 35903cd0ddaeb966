import type { Tensor } from '../../base/index.ts';
import type { Lora } from '../params.ts';
import { isLoraPart, loraScale } from './lora.ts';

type Tensors = ReadonlyMap<string, Tensor<'float32'>>;

/**
 * Parameters without adapters that compute the same: every adapted weight becomes `W + alpha/r B A`, its rows brought to
 * their own lengths where the adapter has such, rounded once, and the adapter is left out. The tensors given stay as they
 * are; those without an adapter are shared.
 */
export function mergeLora(tensors: Tensors, lora: Omit<Lora, 'targets'>): Map<string, Tensor<'float32'>> {
  const merged = new Map<string, Tensor<'float32'>>();
  for (const [path, weight] of tensors) {
    if (isLoraPart(path)) continue;
    const module = path.replace(/\.weight$/, '');
    const [a, b] = [tensors.get(`${module}.lora_A.weight`), tensors.get(`${module}.lora_B.weight`)];
    const magnitude = tensors.get(`${module}.lora_magnitude_vector`)?.data;
    const update = a && b && { a: a.data, b: b.data, magnitude, ...loraScale(lora, module) };
    merged.set(path, update ? { ...weight, data: updated(weight.data, update) } : weight);
  }
  return merged;
}

interface Update {
  /** `[r, in]`. */
  readonly a: Float32Array;
  /** `[out, r]`. */
  readonly b: Float32Array;
  /** `[out]`: lengths of the rows. */
  readonly magnitude: Float32Array | undefined;
  readonly r: number;
  readonly alpha: number;
  readonly divisor: number;
}

function updated(weight: Float32Array, update: Update): Float32Array<ArrayBuffer> {
  const { a, b, r, alpha, divisor, magnitude } = update;
  const width = a.length / r;
  const out = new Float32Array(weight.length);
  const row = new Float64Array(width);
  for (let o = 0; o < weight.length / width; o++) {
    row.fill(0);
    for (let k = 0; k < r; k++) {
      const share = ((b[o * r + k] as number) * alpha) / divisor;
      for (let i = 0; i < width; i++) row[i] = (row[i] as number) + share * (a[k * width + i] as number);
    }
    for (let i = 0; i < width; i++) row[i] = (weight[o * width + i] as number) + (row[i] as number);
    if (magnitude) stretch(row, magnitude[o] as number);
    out.set(row, o * width);
  }
  return out;
}

/** Brings a row to a length. */
function stretch(row: Float64Array, length: number): void {
  const factor = length / Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
  for (let i = 0; i < row.length; i++) row[i] = (row[i] as number) * factor;
}
