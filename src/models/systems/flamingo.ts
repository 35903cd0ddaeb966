import { clipCrop, type ImageProcessor, type Processor } from '../../data/index.ts';
import type { ConfigJson } from '../config.ts';
import { mountLinears, mountNames } from '../decoders/index.ts';
import { type FlamingoConfig, flamingoConfig, flamingoHidden, flamingoParts } from '../fusion/flamingo.ts';
import { gatedState } from '../fusion/gated-attention.ts';
import { neededInput } from '../inputs.ts';
import type { Model, Writer } from '../model.ts';
import { clipVision } from '../vision/clip.ts';
import type { Layout } from '../weights/index.ts';
import { fixedImages, imagePixels, imagesShown, preparedSize, tokenIds } from './inputs.ts';
import { builtinSize, partFolders, sizeOfFolders } from './keys.ts';
import type { SystemRecipe } from './recipe.ts';

/** Ends the text that belongs to an image, as OpenFlamingo spells it. */
const endOfChunk = '<|endofchunk|>';

export const flamingoRecipe: SystemRecipe = {
  keys: {
    size: builtinSize,
    ...partFolders,
    every: {
      value: { from: 1, to: 1024 },
      says: 'a gated layer stands in front of every n-th block; each when absent',
    },
    latents: { value: { from: 1, to: 4096 }, says: 'latents that the resampler makes of an image; 64 when absent' },
    depth: { value: { from: 1, to: 256 }, says: 'layers of the resampler; 6 when absent' },
    gates: {
      value: ['shut', 'open'],
      says: 'whether a new model is the frozen language model, as in the paper (shut, when absent), or its gates start at 1',
    },
  },
  needs: ['vision', 'language'],
  refuses: sizeOfFolders,
  tokens: () => [endOfChunk],
  ends: endOfChunk,
  joined: ({ vision, language, imageTokenId, tokenIds: added, values }) => ({
    architectures: ['Flamingo'],
    model_type: 'flamingo',
    vision_config: vision,
    text_config: language,
    cross_attn_every_n_layers: values.every ?? 1,
    perceiver_config: { num_latents: values.latents ?? 64, depth: values.depth ?? 6 },
    ...(values.gates === 'open' && { cross_attn_config: { gate_start: 1 } }),
    media_token_id: imageTokenId,
    eoc_token_id: added[endOfChunk],
    tie_word_embeddings: language.tie_word_embeddings ?? false,
  }),
  does: ['writer'],
  language: flamingoParts.language,
  seesImages: true,
  interleaved: true,
};

/** Flamingo (Alayrac et al. 2022), with the layers and the weights of OpenFlamingo (Awadalla et al. 2023). */
export function flamingo(json: ConfigJson, where?: string): Model {
  const c = flamingoConfig(json, where);
  const { text, vision } = c;
  const writer: Writer = {
    vocabSize: text.vocabSize,
    width: text.width,
    maxPositions: text.maxPositions,
    state: { ...text.state, ...gatedState(c.gated) },
    linears: mountLinears(text.linears, flamingoParts.language),
    hidden: (p, x, ask) => {
      const { pixels, imagesShown: shown, imageNumbers, imagePlaces, latest } = x;
      return flamingoHidden(
        p,
        c,
        { ids: neededInput(x, 'ids'), pixels, shown, imageNumbers, imagePlaces, latest },
        ask,
      );
    },
    head: (p, hidden) => text.head(p.at(flamingoParts.language), hidden),
  };
  return {
    architecture: 'flamingo',
    json,
    layouts: layoutsOf(c),
    tied: mountNames(text.tied, flamingoParts.language),
    parts: flamingoParts,
    openRows: openRows(c),
    image: { tokenId: c.imageTokenId, height: vision.imageSize, width: vision.imageSize },
    processor: (images) => processor(c, images),
    forward: (p, x) => ({ logits: writer.head(p, writer.hidden(p, x).hidden) }),
    look: (p, x) => clipVision(p.at(flamingoParts.vision), vision, neededInput(x, 'pixels')).pooled,
    writer,
  };
}

/** The rows of the added tokens: the language model is frozen, and what it never saw is learned. */
function openRows({ text, imageTokenId, endOfChunkId }: FlamingoConfig): NonNullable<Model['openRows']> {
  const [head, place] = [`${text.linears.head}.weight`, `${flamingoParts.language}.`];
  const table = place + text.tied[head];
  if (endOfChunkId === undefined) return { [table]: [imageTokenId] };
  return { [table]: [imageTokenId, endOfChunkId], [place + head]: [endOfChunkId] };
}

/**
 * The names of OpenFlamingo, whose wrapper holds each block of the decoder and the gated layer in front of it. Its own files
 * have the tower apart, in a form that is no folder of transformers; here it has the names of transformers.
 */
function layoutsOf({ text, gated }: FlamingoConfig): readonly Layout[] {
  const [blocks] = text.linears.blocks as readonly [string];
  const { language, vision, resampler } = flamingoParts;
  const wrapped = [...Array(text.layers).keys()].flatMap((i) => {
    const from = `lang_encoder.${blocks}.${i}`;
    const block = [`${from}.decoder_layer.`, `${language}.${blocks}.${i}.`] as const;
    const layer = [`${from}.gated_cross_attn_layer.`, `${flamingoParts.gated}.${i}.`] as const;
    return gated.layers.includes(i) ? [layer, block] : [block];
  });
  const whole = [resampler, vision].map((place) => [`${place}.`, `${place}.`] as const);
  return [{ name: 'openflamingo', rules: [...wrapped, ['lang_encoder.', `${language}.`], ...whole] }];
}

/** An image is one token of the text, and is seen from the layers in front of the blocks. */
function processor(c: FlamingoConfig, images: ImageProcessor = clipCrop(c.vision.imageSize)): Processor {
  const size = preparedSize(images, { height: c.vision.imageSize, width: c.vision.imageSize });
  return {
    inputs: {
      ids: { ...tokenIds, says: `${tokenIds.says}; each image is one token, of the id ${c.imageTokenId}` },
      pixels: imagePixels(size),
      imagesShown,
      imageNumbers: {
        dtype: 'int32',
        shape: ['B', 'M'],
        join: 'pad',
        says: '1, 2, … for the images of each text in reading order; 0 where it has fewer than M',
      },
      imagePlaces: {
        dtype: 'int32',
        shape: ['N'],
        join: 'slots',
        of: 'imageNumbers',
        says: 'the place of each image in imageNumbers: b * M + m for image m of text b',
      },
      latest: {
        dtype: 'int32',
        shape: ['B', 'T'],
        join: 'pad',
        says: 'the number of the last image at or before each token, which it sees; 0 before the first',
      },
    },
    plan: fixedImages(images, { ids: [c.imageTokenId], slots: {} }),
    row({ ids, media = [] }) {
      const starts = media.map(({ start }) => start);
      return {
        imageNumbers: starts.map((_, m) => m + 1),
        imagePlaces: [...starts.keys()],
        latest: Array.from(ids, (_, t) => starts.filter((start) => start <= t).length),
      };
    },
  };
}
