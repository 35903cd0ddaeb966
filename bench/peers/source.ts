import { type Tensor, tensor } from '../../src/base/index.ts';
import type { Example } from '../../src/data/index.ts';
import { type BatchSource, exampleSource, type SourceOptions } from '../../src/train/index.ts';

/** A row of tokens as an example; `supervised` is 1 where the token has to be predicted. */
export function exampleOf(
  row: number,
  ids: Int32Array<ArrayBuffer>,
  supervised: Uint8Array<ArrayBuffer>,
  images: readonly { readonly start: number; readonly tokens: number }[] = [],
): Example {
  const name = `row ${row}`;
  return {
    id: name,
    where: name,
    ids,
    supervised,
    images: images.map((span) => ({ ...span, image: { kind: 'image', path: name } })),
  };
}

/** The same rows in every pass, cut into lanes as `tessera train` cuts them. */
export function sourceOf(
  examples: readonly Example[],
  more: { readonly accumulate?: number; readonly pixels?: SourceOptions['pixels'] } = {},
): { readonly source: BatchSource; readonly options: SourceOptions } {
  const options: SourceOptions = {
    examples,
    plan: { stepsPerEpoch: 1, at: () => [...examples.keys()] },
    accumulate: more.accumulate ?? 1,
    lanes: examples.length > 1 ? 2 : 1,
    padId: 0,
    objective: 'lm',
    ...(more.pixels && { pixels: more.pixels }),
  };
  return { source: exampleSource(options), options };
}

/** Gives each row the picture of its number out of `[N, 3, H, W]`. */
export function pixelsOf({ shape, data }: Tensor<'float32'>): NonNullable<SourceOptions['pixels']> {
  const size = data.length / (shape[0] as number);
  return {
    async load(images) {
      const chosen = tensor('float32', [images.length, ...shape.slice(1)], new Float32Array(images.length * size));
      for (const [i, { path }] of images.entries()) {
        const row = Number(path.slice('row '.length));
        chosen.data.set(data.subarray(row * size, (row + 1) * size), i * size);
      }
      return chosen;
    },
  };
}
