import type { Dim, Named } from '../../base/index.ts';
import type { ImageProcessor, Input, Processor, Size } from '../../data/index.ts';
import { clipSquash } from '../../data/index.ts';
import { cast, gather, iota, type Value } from '../../graph/index.ts';
import type { Scope } from '../../nn/index.ts';
import type { ConfigJson } from '../config.ts';
import { type Decoder, mountLinears, mountNames } from '../decoders/index.ts';
import { type Blip2Config, blip2Config, blip2Forms, blip2Hidden, blip2Parts } from '../fusion/blip2.ts';
import { blip2Matcher } from '../fusion/blip2-matcher.ts';
import { neededInput } from '../inputs.ts';
import type { Matcher, Model, Writer } from '../model.ts';
import type { Layout } from '../weights/index.ts';
import { fixedImages, imagePixels, imagesShown, preparedSize, sourceInputs, tokenIds } from './inputs.ts';
import { builtinSize, partFolders, sizeOfFolders } from './keys.ts';
import type { RecipeKey, SystemRecipe } from './recipe.ts';

/** Begins a text that the Q-Former writes about an image. */
const decodeToken = '[DEC]';

/** A whole number of the Q-Former, BERT's where it is not said. */
const ofQformer = (says: string, usual: number, to: number): RecipeKey => ({
  value: { from: 1, to },
  says: `${says}; ${usual} when absent`,
});

export const blip2Recipe: SystemRecipe = {
  keys: {
    size: builtinSize,
    ...partFolders,
    queries: ofQformer('queries that look at an image, each a row in front of the text', 32, 4096),
    width: ofQformer('width of the Q-Former', 768, 65536),
    heads: ofQformer('heads of the Q-Former', 12, 1024),
    depth: ofQformer('layers of the Q-Former', 12, 1024),
    space: ofQformer('width of the space in which images and texts are compared', 256, 65536),
  },
  needs: ['vision', 'language'],
  refuses: sizeOfFolders,
  tokens: () => [decodeToken],
  joined: ({ vision, language, imageTokenId, tokenIds: added, values }) => ({
    architectures: Object.values(blip2Forms),
    model_type: 'blip-2',
    vision_config: vision,
    text_config: language,
    qformer_config: qformerJson(values, vision, Number(language.vocab_size), added[decodeToken]),
    num_query_tokens: values.queries ?? 32,
    image_text_hidden_size: values.space ?? 256,
    image_token_index: imageTokenId,
  }),
  does: ['writer', 'matcher'],
  language: blip2Parts.language,
  seesImages: true,
};

/** One tokenizer serves the Q-Former and the language model. */
function qformerJson(values: Named<unknown>, vision: ConfigJson, words: number, start: number | undefined): ConfigJson {
  const width = Number(values.width ?? 768);
  return {
    model_type: 'blip_2_qformer',
    vocab_size: words,
    hidden_size: width,
    intermediate_size: 4 * width,
    num_hidden_layers: values.depth ?? 12,
    num_attention_heads: values.heads ?? 12,
    encoder_hidden_size: vision.hidden_size,
    cross_attention_frequency: 2,
    use_qformer_text_input: true,
    bos_token_id: start,
  };
}

/** BLIP-2 (Li et al. 2023), with a decoder or an encoder-decoder as its language model. */
export function blip2(json: ConfigJson, where?: string): Model {
  const c = blip2Config(json, where);
  const { text } = c;
  const side = c.tower.imageSize;
  const writer = text && writerOf(c, text);
  const matcher = c.compared === undefined ? undefined : blip2Matcher(c, c.compared);
  const { language, vision, qformer } = blip2Parts;
  return {
    architecture: 'blip-2',
    json,
    layouts: blip2Layouts,
    unshared: c.tower.unshared,
    tied: text ? mountNames(text.tied, language) : {},
    parts: { vision, qformer, ...(text && { language }) },
    image: { height: side, width: side, ...(c.imageTokenId !== undefined && { tokenId: c.imageTokenId }) },
    processor: (images) => processor(c, images),
    processorConfig: () => ({ processor_class: 'Blip2Processor', num_query_tokens: c.queries }),
    forward: (p, x) => ({
      ...(writer && { logits: writer.head(p, writer.hidden(p, x).hidden) }),
      ...(matcher && compared(p, matcher, x)),
    }),
    ...(writer && { writer }),
    ...(matcher && { matcher }),
  };
}

function writerOf(c: Blip2Config, text: Decoder): Writer {
  const { language } = blip2Parts;
  return {
    vocabSize: text.vocabSize,
    width: text.width,
    maxPositions: text.maxPositions,
    state: { ...text.state, ...text.source?.state },
    linears: mountLinears(text.linears, language),
    source: text.source,
    hidden: (p, x, ask) => blip2Hidden(p, c, x, ask),
    head: (p, hidden) => text.head(p.at(language), hidden),
  };
}

/** All that images and texts are compared by, text b beside image b. */
function compared(p: Scope, matcher: Matcher, x: Named<Value>): Named<Value> {
  const text = matcher.texts(x);
  const { features, vectors } = matcher.image(p, neededInput(x, 'pixels'));
  const [b] = text.ids.shape as [Dim];
  const beside = p.build(() => gather(features, cast(iota(p.graph, b), 'int32')));
  return {
    image_embeds: vectors,
    text_embeds: matcher.text(p, text),
    match_logits: matcher.match(p, beside, text),
  };
}

/** The names of transformers' classes, in files and in memory; `ln_vision` is beside a tower of CLIP alone. */
const blip2Layouts: readonly Layout[] = [
  {
    name: 'blip-2',
    rules: [
      'vision_model.',
      'ln_vision.',
      'query_tokens',
      'qformer.',
      'language_projection.',
      'language_model.',
      'embeddings.',
      'vision_projection.',
      'text_projection.',
      'itm_head.',
    ].map((prefix) => [prefix, prefix] as const),
  },
];

/** An image is so many rows in front of the text, its opening token included, as in the published code. */
function processor(c: Blip2Config, images: ImageProcessor = clipSquash(c.tower.imageSize)): Processor {
  const size = preparedSize(images, { height: c.tower.imageSize, width: c.tower.imageSize });
  if (!c.text) return comparing(images, size);
  const source = c.text.source && sourceInputs(c.text.source);
  const of = source ? 'sourceIds' : 'ids';
  const fronted = `the first ${c.queries} stand for the image, if there is one`;
  const texts = source?.inputs ?? { ids: tokenIds };
  const first = texts[of] as typeof tokenIds;
  return {
    ...source,
    inputs: {
      ...texts,
      [of]: { ...first, says: `${first.says}; ${fronted}` },
      pixels: imagePixels(size),
      imagesShown,
      imageRows: {
        dtype: 'int32',
        shape: [`${c.queries}*N`],
        join: 'slots',
        of,
        says: `where the ${c.queries} rows of each image go, in order: flat places of ${of}`,
      },
      ...(c.compared !== undefined && { textLengths }),
    },
    // What stands in a slot is never looked at.
    plan: fixedImages(images, {
      ids: Array<number>(c.queries).fill(c.imageTokenId ?? 0),
      slots: { imageRows: [...Array(c.queries).keys()] },
    }),
    front: true,
    most: 1,
    row: (sequence) => ({
      ...source?.row?.(sequence),
      ...(c.compared !== undefined && { textLengths: [sequence.ids.length - c.fronted] }),
    }),
  };
}

const textLengths: Input = {
  dtype: 'int32',
  shape: ['B'],
  join: 'row',
  says: 'how many tokens each text has, without those that stand for its image',
};

/** Images beside texts. */
function comparing(images: ImageProcessor, size: Size): Processor {
  return {
    inputs: { ids: tokenIds, textLengths, pixels: imagePixels(size) },
    plan: fixedImages(images, { ids: [], slots: {} }),
    beside: true,
    row: ({ ids }) => ({ textLengths: [ids.length] }),
  };
}
