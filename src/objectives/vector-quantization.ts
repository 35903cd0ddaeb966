import type { Random, Tensor } from '../base/index.ts';
import { abs, mul, reduceMean, reduceSum, stopGradient, sub, type Value } from '../graph/index.ts';

/*
 * The losses of an image tokenizer (van den Oord et al. 2017, eq. 3; reconstruction by L1 as in VQGAN, Esser et al. 2021), each a
 * mean over an image and a sum over images. The perceptual and the adversarial term of VQGAN and Make-A-Scene, which want trained
 * networks of their own, are not here.
 */

/**
 * How far latents and their codes are apart, as two numbers of one value and different gradients: `book` moves the codes alone,
 * `commitment` the latents alone.
 * @param latents `[R, E]`; `chosen [R, E]`: the nearest row of the code book for each; `perImage` of them are of one image
 */
export function quantization(
  latents: Value,
  chosen: Value,
  perImage: number,
): { readonly book: Value; readonly commitment: Value } {
  const squares = (a: Value, b: Value) => {
    const apart = sub(a, b);
    return mul(reduceSum(reduceMean(mul(apart, apart), [1])), 1 / perImage);
  };
  return { book: squares(chosen, stopGradient(latents)), commitment: squares(latents, stopGradient(chosen)) };
}

/** How far images `[N, C, H, W]` are from what was painted: mean absolute differences. */
export function reconstruction(pixels: Value, painted: Value): Value {
  return reduceSum(reduceMean(abs(sub(painted, pixels)), [1, 2, 3]));
}

/** Latents `[R, E]` of some images, and the code of each, int32 `[R]`. */
export interface Coded {
  readonly latents: Tensor;
  readonly codes: Tensor;
}

/**
 * Cares for dead codes: one that no latent chose for `patience` steps begins anew at a latent of this step (Dhariwal et al. 2020,
 * section 3), which is drawn by the square of how far it is from its own code (Arthur & Vassilvitskii 2007), each once.
 * @param table changed in place: `book [K, E]`, and `unused [K]`, for how many steps each code was chosen by none
 * @returns how many codes were chosen in this step, and how many begin anew
 */
export function restartDeadCodes(
  table: { readonly book: Tensor<'float32'>; readonly unused: Tensor<'float32'> },
  coded: readonly Coded[],
  { patience, random }: { readonly patience: number; readonly random: Random },
): { readonly used: number; readonly restarted: number } {
  const { book, unused } = table;
  const width = book.shape[1] as number;
  const codes = coded.flatMap((batch) => Array.from(batch.codes.data, Number));
  const chosen = new Set(codes);
  const age = unused.data;
  for (const code of age.keys()) age[code] = chosen.has(code) ? 0 : (age[code] as number) + 1;
  const dead = [...age.keys()].filter((code) => (age[code] as number) >= patience);
  if (dead.length === 0) return { used: chosen.size, restarted: 0 };
  const latents = coded.flatMap(({ latents: { data, shape } }) =>
    Array.from({ length: shape[0] as number }, (_, row) =>
      (data as Float32Array).subarray(row * width, (row + 1) * width),
    ),
  );
  const far = latents.map((latent, i) => {
    const at = (codes[i] as number) * width;
    return latent.reduce((sum, x, e) => sum + (x - (book.data[at + e] as number)) ** 2, 0);
  });
  const drawn = drawByWeight(far, dead.length, random);
  for (const [i, row] of drawn.entries()) {
    book.data.set(latents[row] as Float32Array, (dead[i] as number) * width);
    age[dead[i] as number] = 0;
  }
  return { used: chosen.size, restarted: drawn.length };
}

/** Places of weights above 0, at most `count`, without repetition: the first to come of exponential times with these rates. */
function drawByWeight(weights: readonly number[], count: number, random: Random): number[] {
  const times = weights.map((weight, place) => ({ place, time: -Math.log(1 - random.next()) / weight }));
  const finite = times.filter(({ time }) => Number.isFinite(time));
  return finite
    .sort((a, b) => a.time - b.time)
    .slice(0, count)
    .map(({ place }) => place);
}
