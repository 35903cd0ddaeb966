import { type ImageProcessor, lanczosCrop, type Processor } from '../../data/index.ts';
import { fill } from '../../graph/index.ts';
import type { ConfigJson } from '../config.ts';
import { mountLinears, mountNames } from '../decoders/index.ts';
import { type ChameleonConfig, chameleonConfig, chameleonHidden, chameleonParts } from '../fusion/chameleon.ts';
import { neededInput } from '../inputs.ts';
import type { Model, Writer } from '../model.ts';
import { codeLatents, vqGrid } from '../vision/vq.ts';
import type { Layout } from '../weights/index.ts';
import { fixedImages, imagePixels, imagesShown, preparedSize, tokenIds } from './inputs.ts';
import type { SystemRecipe } from './recipe.ts';

export const chameleonRecipe: SystemRecipe = {
  keys: {},
  needs: ['from'],
  does: ['writer'],
  language: chameleonParts.language,
  seesImages: true,
};

/** Chameleon (Chameleon Team 2024): one decoder reads text and the codes of images with one vocabulary. */
export function chameleon(json: ConfigJson, where?: string): Model {
  const c = chameleonConfig(json, where);
  const { text, vq, imageTokenId, codeIds } = c;
  const { language, vision } = chameleonParts;
  const grid = vqGrid(vq, vq.resolution, vq.resolution);
  const codes = grid[0] * grid[1];
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
  return {
    architecture: 'chameleon',
    json,
    layouts: [chameleonLayout],
    tied: mountNames(text.tied, language),
    parts: chameleonParts,
    image: { tokenId: imageTokenId, height: vq.resolution, width: vq.resolution },
    processor: (images) => processor(c, images),
    processorConfig: (imageToken) => ({
      processor_class: 'ChameleonProcessor',
      image_seq_length: codes,
      image_token: imageToken,
    }),
    forward: (p, x) => {
      // Files hold what a decoder of images reads first, though not the decoder.
      codeLatents(p.at(vision), vq, fill(p.graph, [1, codes], 'int32', 0), grid);
      return { logits: writer.head(p, writer.hidden(p, x).hidden) };
    },
    writer,
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
function processor(c: ChameleonConfig, images: ImageProcessor = lanczosCrop(c.vq.resolution)): Processor {
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
    plan: fixedImages(images, {
      ids: [c.beginId, ...Array<number>(codes).fill(c.imageTokenId), c.endId],
      slots: { imageRows: Array.from({ length: codes }, (_, i) => i + 1) },
    }),
  };
}
