import type { Dim, Named } from '../../base/index.ts';
import { type ImageProcessor, lanczosCrop, type Processor } from '../../data/index.ts';
import { fill } from '../../graph/index.ts';
import type { Scope } from '../../nn/index.ts';
import type { ConfigJson } from '../config.ts';
import { mountLinears, mountNames } from '../decoders/index.ts';
import {
  type ChameleonConfig,
  chameleonConfig,
  chameleonHidden,
  chameleonParts,
  chameleonTokens,
  codeToken,
} from '../fusion/chameleon.ts';
import { neededInput } from '../inputs.ts';
import type { Model, Painter, Quantizer, Writer } from '../model.ts';
import { llamaJson, type SizeName, type VocabularyFacts } from '../sizes.ts';
import {
  codeBook,
  codeLatents,
  latentRows,
  nearestCodes,
  paintCodes,
  rowLatents,
  type VqConfig,
  vqGrid,
  vqLatents,
  vqPixels,
} from '../vision/vq.ts';
import type { Layout } from '../weights/index.ts';
import { fixedImages, imagePixels, imagesShown, preparedSize, tokenIds } from './inputs.ts';
import { newWords, oneTokenizer } from './keys.ts';
import type { JoinedParts, SystemRecipe } from './recipe.ts';

export const chameleonRecipe: SystemRecipe = {
  keys: {
    ...newWords,
    codes: { value: { from: 2, to: 65536 }, says: 'rows of the code book of images; 8192 when absent' },
  },
  needs: ['size'],
  oneOf: { tokenizer: oneTokenizer },
  fresh: chameleonJson,
  tokens: ownTokens,
  does: ['writer', 'painter', 'quantizer'],
  language: chameleonParts.language,
  seesImages: true,
  interleaved: true,
};

const codesOf = ({ codes = 8192 }: Named<unknown>) => Number(codes);

/** Names in the vocabulary of a new model that no text has. */
function ownTokens(values: Named<unknown>): string[] {
  return [...Object.values(chameleonTokens), ...Array.from({ length: codesOf(values) }, (_, code) => codeToken(code))];
}

/** Tokenizers of images of the built-in sizes; the published one is that of both large ones. */
const vqSizes: Readonly<Record<SizeName, ConfigJson>> = {
  tiny: {
    resolution: 32,
    base_channels: 32,
    channel_multiplier: [1, 1, 2],
    num_res_blocks: 1,
    latent_channels: 64,
    embed_dim: 16,
  },
  small: {
    resolution: 96,
    base_channels: 64,
    channel_multiplier: [1, 1, 2, 2],
    num_res_blocks: 1,
    latent_channels: 128,
    embed_dim: 64,
  },
  '7b': {},
  '13b': {},
};

/** `config.json` of a new Chameleon. */
function chameleonJson(
  size: SizeName,
  vocabulary: VocabularyFacts,
  { tokenIds: ids, values }: Pick<JoinedParts, 'tokenIds' | 'values'>,
): ConfigJson {
  const { architectures: _, mlp_bias, ...text } = llamaJson(size, vocabulary);
  return {
    ...text,
    architectures: ['ChameleonForConditionalGeneration'],
    model_type: 'chameleon',
    mlp_bias,
    swin_norm: false,
    vq_config: {
      model_type: 'chameleon_vqgan',
      ...vqSizes[size],
      num_embeddings: codesOf(values),
      image_decoder: true,
    },
    vocabulary_map: Object.fromEntries(ownTokens(values).map((name) => [name, ids[name]])),
  };
}

/** Chameleon (Chameleon Team 2024): one decoder reads text and the codes of images with one vocabulary. */
export function chameleon(json: ConfigJson, where?: string): Model {
  const c = chameleonConfig(json, where);
  const { text, vq, imageTokenId, codeIds } = c;
  const { language, vision } = chameleonParts;
  const grid = vqGrid(vq, vq.resolution, vq.resolution);
  const codes = grid[0] * grid[1];
  const prepared = lanczosCrop(vq.resolution);
  const writer: Writer = {
    vocabSize: text.vocabSize,
    width: text.width,
    maxPositions: text.maxPositions,
    state: text.state,
    linears: mountLinears(text.linears, language),
    unwritten: codeIds,
    hidden: (p, x, ask) => {
      const { pixels, imagesShown: shown, imageRows } = x;
      return chameleonHidden(p, c, { ids: neededInput(x, 'ids'), pixels, shown, imageRows }, ask);
    },
    head: (p, hidden) => text.head(p.at(language), hidden),
  };
  const painter: Painter = {
    codes: codeIds,
    perImage: codes,
    around: [c.beginId, c.endId],
    paint: (p, drawn) => paintCodes(p.at(vision), vq, drawn, grid),
  };
  return {
    architecture: 'chameleon',
    json,
    layouts: [chameleonLayout],
    tied: mountNames(text.tied, language),
    parts: chameleonParts,
    image: { tokenId: imageTokenId, height: vq.resolution, width: vq.resolution, prepared },
    processor: (images = prepared) => processor(c, images),
    processorConfig: (imageToken) => ({
      processor_class: 'ChameleonProcessor',
      image_seq_length: codes,
      image_token: imageToken,
    }),
    forward: (p, x) => {
      const some = fill(p.graph, [1, codes], 'int32', 0);
      // Published files hold what the decoder of images reads first, and not the decoder.
      if (vq.paints) painter.paint(p, some);
      else codeLatents(p.at(vision), vq, some, grid);
      return { logits: writer.head(p, writer.hidden(p, x).hidden) };
    },
    writer,
    ...(vq.paints && { painter, quantizer: quantizerOf(vq) }),
  };
}

function quantizerOf(vq: VqConfig): Quantizer {
  const place = (p: Scope) => p.at(chameleonParts.vision);
  return {
    book: `${chameleonParts.vision}.quantize.embedding.weight`,
    codeBook: (p) => codeBook(place(p), vq),
    latents: (p, pixels) => {
      const latents = vqLatents(place(p), vq, pixels);
      const [n, , h, w] = latents.shape as [Dim, number, number, number];
      return { rows: latentRows(place(p), vq, latents), grid: [n, h, w] };
    },
    nearest: (p, rows) => nearestCodes(place(p), vq, rows),
    restore: (p, rows, grid) => vqPixels(place(p), vq, rowLatents(place(p), vq, rows, grid)),
  };
}

/** The names of `ChameleonForConditionalGeneration`, in files and in memory. */
const chameleonLayout: Layout = {
  name: 'chameleon',
  rules: [
    ['model.vqmodel.', `${chameleonParts.vision}.`],
    ['model.', `${chameleonParts.language}.model.`],
    ['lm_head.', `${chameleonParts.language}.lm_head.`],
  ],
};

/** An image is so many slots for its codes between two tokens of its own. */
function processor(c: ChameleonConfig, images: ImageProcessor): Processor {
  const size = preparedSize(images, { height: c.vq.resolution, width: c.vq.resolution });
  const [rows, columns] = vqGrid(c.vq, size.height, size.width);
  const codes = rows * columns;
  const place = `${codes} tokens of the id ${c.imageTokenId}, between ${c.beginId} and ${c.endId}`;
  return {
    inputs: {
      ids: { ...tokenIds, says: `${tokenIds.says}; each image takes ${place}` },
      pixels: imagePixels(size),
      imagesShown,
      imageRows: {
        dtype: 'int32',
        shape: [`${codes}*N`],
        join: 'slots',
        of: 'ids',
        says: `where the ${codes} codes of each image go, in order: b * T + t for the place t of text b`,
      },
    },
    draws: true,
    plan: fixedImages(images, {
      ids: [c.beginId, ...Array<number>(codes).fill(c.imageTokenId), c.endId],
      slots: { imageRows: Array.from({ length: codes }, (_, i) => i + 1) },
    }),
  };
}
