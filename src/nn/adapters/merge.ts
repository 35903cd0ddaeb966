import type { Tensor } from '../../base/index.ts';
import type { Lora } from '../params.ts';

type Tensors = ReadonlyMap<string, Tensor<'float32'>>;

const factor = /\.lora_[AB]\.weight$/;

/**
 * Parameters without adapters that compute the same: every adapted weight becomes `W + alpha/r B A`, rounded once, and
 * the factors are left out. The tensors given stay as they are; those without an adapter are shared.
 */
export function mergeLora(tensors: Tensors, lora: Pick<Lora, 'r' | 'alpha'>): Map<string, Tensor<'float32'>> {
  const merged = new Map<string, Tensor<'float32'>>();
  for (const [path, weight] of tensors) {
    if (factor.test(path)) continue;
    const module = path.replace(/\.weight$/, '');
    const [a, b] = [tensors.get(`${module}.lora_A.weight`), tensors.get(`${module}.lora_B.weight`)];
    merged.set(path, a && b ? { ...weight, data: addProduct(weight.data, b.data, a.data, lora) } : weight);
  }
  return merged;
}

/** `W + alpha/r B A` for `W [out, in]`, `B [out, r]`, `A [r, in]`. */
function addProduct(
  weight: Float32Array,
  b: Float32Array,
  a: Float32Array,
  { r, alpha }: Pick<Lora, 'r' | 'alpha'>,
): Float32Array<ArrayBuffer> {
  const width = a.length / r;
  const out = new Float32Array(weight.length);
  const row = new Float64Array(width);
  for (let o = 0; o < weight.length / width; o++) {
    row.fill(0);
    for (let k = 0; k < r; k++) {
      const share = ((b[o * r + k] as number) * alpha) / r;
      for (let i = 0; i < width; i++) row[i] = (row[i] as number) + share * (a[k * width + i] as number);
    }
    for (let i = 0; i < width; i++) out[o * width + i] = (weight[o * width + i] as number) + (row[i] as number);
  }
  return out;
}
