import { readdirSync } from 'node:fs';
import type { Tensor } from '../../src/base/index.ts';
import type { MediaPlan, Processor } from '../../src/data/index.ts';
import type { Prompt } from '../../src/generate/prompt.ts';
import { loadModel, modelThat, type WriterModel } from '../../src/models/index.ts';
import type { ParameterStore } from '../../src/nn/index.ts';
import { fixture, fixtureJson, fixtureTensors, numbers } from './fixtures.ts';
import { cropTo } from './processor.ts';

export const decoderCases = ['mha', 'gqa', 'mqa-head-dim', 'tied', 'rope-theta', 'qwen2'].map(
  (name) => `decoder/${name}`,
);
/** Decoders of other families. */
export const guestCases = readdirSync(fixture('decoders')).map((name) => `decoders/${name}`);
/** Decoders that answer a source. */
export const sourceCases = readdirSync(fixture('encoder-decoder')).map((name) => `encoder-decoder/${name}`);
export const imageCases = [
  'v1.5',
  'v1.5-gqa',
  'v1.5-multi',
  'v1.5-nonsquare',
  'v1.5-bf16',
  'v1',
  'v1.5-qwen3',
  'v1.5-gemma2',
  'v1.5-opt',
].map((name) => `llava/${name}`);
/** Models that see images from the side of the text: few tokens stand for them. */
export const crossCases = ['llama', 'opt', 'mpt'].map((name) => `flamingo/${name}`);
/** Models in which queries look at the image, and stand in front of the text. */
export const queryCases = ['opt', 'llama', 't5'].map((name) => `blip2/${name}`);
/** Models in which codes of images are tokens. */
export const tokenCases = ['pre-norm', 'swin-norm-tied', 'biased'].map((name) => `chameleon/${name}`);

export interface ReferenceCase {
  readonly model: WriterModel;
  readonly reader: Processor;
  readonly store: ParameterStore;
  readonly expected: ReadonlyMap<string, Tensor>;
  /** Prompts with the twelve tokens that transformers adds to each. */
  readonly greedy: readonly { readonly prompt: Prompt; readonly tokens: readonly number[] }[];
  /** The rows of the reference batch, unpadded. */
  readonly rows: readonly Prompt[];
}

interface Expected {
  readonly imageToken?: number;
  readonly imagesPerRow?: readonly number[];
  readonly greedy: readonly { readonly prompt: number[]; readonly images?: number; readonly tokens: number[] }[];
}

export function referenceCase(name: string): ReferenceCase {
  const loaded = loadModel(fixture(name));
  const { store } = loaded;
  const model = modelThat('writer', loaded.model, name);
  const facts = fixtureJson(`${name}/expected.json`) as Expected;
  const expected = fixtureTensors(`${name}/expected.safetensors`);
  const imageToken = facts.imageToken ?? model.image?.tokenId ?? -1;
  const pixels = expected.get('pixel_values') as Tensor<'float32'> | undefined;
  const [height, width] = (pixels?.shape.slice(2) ?? []) as [number?, number?];
  const reader = model.processor(height && width ? cropTo(height, width) : undefined);
  const plan = reader.plan?.({ kind: 'image', path: 'x' }, () => []);
  const deal = imageDealer(pixels, plan);
  const shown = (id: number) => (id === imageToken && plan ? plan.ids : [id]);
  const greedy = facts.greedy.map(({ prompt, images = 0, tokens }) => ({
    prompt: deal(prompt.flatMap(shown), images, model.image?.tokenId),
    tokens,
  }));
  const again = imageDealer(pixels, plan);
  // The first release marks slots by a negative id; what stands in a slot is never looked at.
  const known = (id: number) => (id === imageToken && model.image?.tokenId !== undefined ? model.image.tokenId : id);
  const rows = unpadded(expected).map((ids, i) =>
    again(ids.map(known), facts.imagesPerRow?.[i] ?? 0, model.image?.tokenId),
  );
  const { opens } = reader;
  if (!opens?.ids) return { model, reader, store, expected, greedy, rows };
  const asked = greedy.map(({ prompt, tokens }) => ({
    prompt: {
      ids: opens.ids as readonly number[],
      texts: { sourceIds: prompt.ids },
      ...(prompt.media && { media: prompt.media.map((span) => ({ ...span, input: 'sourceIds' })) }),
    },
    tokens,
  }));
  return { model, reader, store, expected, greedy: asked, rows: [] };
}

/** Gives each sequence the next images of the file, where its ids hold what stands for one. */
function imageDealer(pixels: Tensor<'float32'> | undefined, plan: MediaPlan | undefined) {
  let used = 0;
  return (ids: readonly number[], count: number, imageToken: number | undefined): Prompt => {
    if (!pixels || !plan || count === 0) return { ids };
    const slots = [...ids.keys()].filter((t) => ids[t] === imageToken);
    const tokens = plan.ids.length;
    const marks = plan.ids.filter((id) => id === imageToken).length;
    const lead = Math.max(plan.ids.indexOf(imageToken ?? -1), 0);
    const size = pixels.data.length / (pixels.shape[0] as number);
    const media = Array.from({ length: count }, (_, i) => {
      const data = pixels.data.subarray((used + i) * size, (used + i + 1) * size);
      return {
        input: 'ids',
        start: (slots[i * marks] as number) - lead,
        tokens,
        plan,
        values: { pixels: { dtype: 'float32' as const, shape: [1, ...pixels.shape.slice(1)], data } },
      };
    });
    used += count;
    return { ids, media };
  };
}

function unpadded(expected: ReadonlyMap<string, Tensor>): number[][] {
  const [b, t] = (expected.get('input_ids') as Tensor).shape as [number, number];
  const ids = numbers(expected.get('input_ids'));
  const kept = new Set(numbers(expected.get('rows')));
  return Array.from({ length: b }, (_, row) =>
    ids.slice(row * t, (row + 1) * t).filter((_, i) => kept.has(row * t + i)),
  );
}
