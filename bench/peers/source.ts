import type { Tensor } from '../../src/base/index.ts';
import { type Example, type MediaLoader, type MediaPlan, mediaKey, mediaLoader } from '../../src/data/index.ts';
import type { Model } from '../../src/models/index.ts';
import { type BatchSource, exampleSource, objectiveNamed, type SourceOptions } from '../../src/train/index.ts';

/** A row of tokens as an example; `supervised` is 1 where the token has to be predicted, `images` says where some stand. */
export function exampleOf(
  row: number,
  ids: Int32Array<ArrayBuffer>,
  supervised: Uint8Array<ArrayBuffer>,
  plan?: MediaPlan,
  images: readonly number[] = [],
): Example {
  const name = `row ${row}`;
  const span = (start: number) => {
    const shown = plan as MediaPlan;
    return {
      media: { kind: 'image' as const, path: name },
      input: 'ids',
      start,
      tokens: shown.ids.length,
      plan: shown,
    };
  };
  return { id: name, where: name, ids, supervised, media: images.map(span) };
}

/** The same rows in every pass, cut into lanes as `tessera train` cuts them. */
export function sourceOf(
  model: Model,
  examples: readonly Example[],
  more: { readonly accumulate?: number; readonly media?: MediaLoader } = {},
): { readonly source: BatchSource; readonly options: SourceOptions } {
  const options: SourceOptions = {
    samples: examples.map((example) => [example]),
    plan: { stepsPerEpoch: 1, at: () => [...examples.keys()] },
    accumulate: more.accumulate ?? 1,
    lanes: examples.length > 1 ? 2 : 1,
    padId: 0,
    processor: model.processor(),
    media: more.media ?? mediaLoader(),
    objective: objectiveNamed('lm'),
  };
  return { source: exampleSource(options), options };
}

/** Gives each row the image of its number out of `[N, 3, H, W]`. */
export function pixelsOf({ shape, data }: Tensor<'float32'>): MediaLoader {
  const size = data.length / (shape[0] as number);
  return {
    load: async (media) =>
      media.map(({ media: shown }) => {
        const row = Number(mediaKey(shown).slice('row '.length));
        const own = data.subarray(row * size, (row + 1) * size);
        return { pixels: { dtype: 'float32', shape: [1, ...shape.slice(1)], data: own } };
      }),
  };
}
