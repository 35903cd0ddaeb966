import type { ImageProcessor, Processor } from '../../data/index.ts';
import { clipSquash } from '../../data/index.ts';
import type { ConfigJson } from '../config.ts';
import { type Decoder, mountLinears, mountNames } from '../decoders/index.ts';
import { type Blip2Config, blip2Config, blip2Hidden, blip2Parts } from '../fusion/blip2.ts';
import type { Model, Writer } from '../model.ts';
import type { Layout } from '../weights/index.ts';
import { fixedImages, imagePixels, imagesShown, preparedSize, sourceInputs, tokenIds } from './inputs.ts';

/** BLIP-2 (Li et al. 2023), with a decoder or an encoder-decoder as its language model. */
export function blip2(json: ConfigJson, where?: string): Model {
  const c = blip2Config(json, where);
  const { text } = c;
  const side = c.tower.imageSize;
  const writer = text && writerOf(c, text);
  const { language, vision, qformer } = blip2Parts;
  return {
    architecture: 'blip_2',
    json,
    layouts: blip2Layouts,
    tied: text ? mountNames(text.tied, language) : {},
    parts: { vision, qformer, ...(text && { language }) },
    image: { height: side, width: side, ...(c.imageTokenId !== undefined && { tokenId: c.imageTokenId }) },
    processor: (images) => processor(c, images),
    processorConfig: () => ({ processor_class: 'Blip2Processor', num_query_tokens: c.queries }),
    forward: (p, x) => (writer ? { logits: writer.head(p, writer.hidden(p, x).hidden) } : {}),
    ...(writer && { writer }),
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
  const source = c.text?.source && sourceInputs(c.text.source);
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
    },
    // What stands in a slot is never looked at.
    plan: fixedImages(images, {
      ids: Array<number>(c.queries).fill(c.imageTokenId ?? 0),
      slots: { imageRows: [...Array(c.queries).keys()] },
    }),
    front: true,
    most: 1,
  };
}
