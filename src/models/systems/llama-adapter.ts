import { clipCrop, type ImageProcessor, type Input, type Processor } from '../../data/index.ts';
import type { ConfigJson } from '../config.ts';
import { mountLinears, mountNames } from '../decoders/index.ts';
import {
  adapterParts,
  type LlamaAdapterConfig,
  llamaAdapterConfig,
  llamaAdapterHidden,
  promptState,
} from '../fusion/llama-adapter.ts';
import type { Model, Writer } from '../model.ts';
import { type Layout, mountLayouts } from '../weights/index.ts';
import { fixedImages, imagePixels, imagesShown, preparedSize, tokenIds } from './inputs.ts';
import { builtinSize, partFolders, sizeOfFolders } from './keys.ts';
import type { SystemRecipe } from './recipe.ts';

export const llamaAdapterRecipe: SystemRecipe = {
  keys: {
    size: builtinSize,
    ...partFolders,
    prompts: { value: { from: 1, to: 4096 }, says: 'learned prompts of each adapted layer; 10 when absent' },
    layers: { value: { from: 1, to: 1024 }, says: 'layers that are adapted, the upper ones; 30 when absent' },
    projection: { value: { from: 1, to: 65536 }, says: 'inner width of the image projection; 128 when absent' },
  },
  needs: ['vision', 'language'],
  refuses: sizeOfFolders,
  joined: ({ vision, language, values: { prompts, layers, projection } }) => ({
    architectures: ['LlamaAdapter'],
    model_type: 'llama_adapter',
    text_config: language,
    vision_config: vision,
    ...(prompts !== undefined && { adapter_len: prompts }),
    ...(layers !== undefined && { adapter_layer: layers }),
    ...(projection !== undefined && { projection_hidden_size: projection }),
  }),
  does: ['writer'],
  language: adapterParts.language,
  beside: true,
  seesImages: true,
};

/** LLaMA-Adapter (Zhang et al. 2023), with the image branch of its paper or, as in its release, without. */
export function llamaAdapter(json: ConfigJson, where?: string): Model {
  const c = llamaAdapterConfig(json, where);
  const { text, image } = c;
  const { language, vision, adapter } = adapterParts;
  const side = image?.vision.imageSize;
  const writer: Writer = {
    vocabSize: text.vocabSize,
    width: text.width,
    maxPositions: text.maxPositions,
    state: { ...text.state, ...promptState(c) },
    linears: mountLinears(text.linears, language),
    hidden: (p, x, ask) => llamaAdapterHidden(p, c, x, ask),
    head: (p, hidden) => text.head(p.at(language), hidden),
  };
  return {
    architecture: 'llama_adapter',
    json,
    layouts: layoutsOf(c),
    tied: mountNames(text.tied, language),
    parts: { language, adapter, ...(image && { vision }) },
    hosts: image ? ['language', 'vision'] : ['language'],
    ...(side !== undefined && { image: { height: side, width: side } }),
    processor: (images) => processor(c, images),
    forward: (p, x) => ({ logits: writer.head(p, writer.hidden(p, x).hidden) }),
    writer,
  };
}

/**
 * The adapter has the names of the official code, whose files hold it alone or beside the language model in Meta's names.
 * The image branch is not in its release, and has names of its own.
 */
function layoutsOf({ text }: LlamaAdapterConfig): readonly Layout[] {
  const gates = Array.from(
    { length: text.layers },
    (_, i) => [`layers.${i}.attention.gate`, `${adapterParts.adapter}.layers.${i}.gate`] as const,
  );
  const own = [
    ['adapter_query.', `${adapterParts.adapter}.query.`],
    ['image_projection.', `${adapterParts.adapter}.projection.`],
    ['vision_tower.', `${adapterParts.vision}.`],
    ...gates,
  ] as const;
  const whole = {
    name: 'llama-adapter',
    rules: [...own, [`${adapterParts.language}.`, `${adapterParts.language}.`] as const],
  };
  const originals = mountLayouts(text.layouts, `${adapterParts.language}.`).filter(({ interleaved }) => interleaved);
  return [
    whole,
    ...originals.map((layout) => ({ ...layout, name: 'llama-adapter-original', rules: [...own, ...layout.rules] })),
  ];
}

/** One image is seen from beside the text: no token stands for it. */
function processor(c: LlamaAdapterConfig, given?: ImageProcessor): Processor {
  const images: Input = { dtype: 'int32', shape: ['B'], join: 'row', says: 'images of each text: 0 or 1' };
  const row: Processor['row'] = ({ media = [] }) => ({
    images: [media.length],
    ...(media.length > 0 && { imageTexts: media.map(() => 0) }),
  });
  if (!c.image) return { inputs: { ids: tokenIds, images }, row };
  const { imageSize } = c.image.vision;
  const prepared = given ?? clipCrop(imageSize);
  const size = preparedSize(prepared, { height: imageSize, width: imageSize });
  return {
    inputs: {
      ids: tokenIds,
      images,
      pixels: imagePixels(size),
      imagesShown,
      imageTexts: { dtype: 'int32', shape: ['N'], join: 'index', into: 'B', says: 'the text of each image: b' },
    },
    plan: fixedImages(prepared, { ids: [], slots: {} }),
    beside: true,
    most: 1,
    row,
  };
}
