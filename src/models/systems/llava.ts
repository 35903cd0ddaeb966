import { clipCrop, type ImageProcessor, type Processor } from '../../data/index.ts';
import type { ConfigJson } from '../config.ts';
import { mountLinears, mountNames } from '../decoders/index.ts';
import { type LlavaConfig, llavaConfig, llavaHidden, llavaImageFeatures, llavaImageRows } from '../fusion/llava.ts';
import { neededInput } from '../inputs.ts';
import type { Model, Writer } from '../model.ts';
import { llavaJson } from '../sizes.ts';
import { clipVision } from '../vision/clip.ts';
import { llavaLayouts } from '../weights/index.ts';
import { fixedImages, imagePixels, imagesShown, preparedSize, tokenIds } from './inputs.ts';
import { builtinSize, partFolders, sizeOfFolders } from './keys.ts';
import type { SystemRecipe } from './recipe.ts';

export const llavaRecipe: SystemRecipe = {
  keys: {
    size: builtinSize,
    projector: { value: ['linear', 'mlp'], says: 'what joins images to words' },
    ...partFolders,
  },
  needs: ['projector', 'vision', 'language'],
  refuses: sizeOfFolders,
  joined: ({ values, ...parts }) => llavaJson({ ...parts, projector: (values.projector ?? 'mlp') as 'linear' | 'mlp' }),
  does: ['writer'],
  language: 'language_model',
  seesImages: true,
  interleaved: true,
};

/** LLaVA (Liu et al. 2023) and LLaVA-1.5 (Liu et al. 2024). */
export function llava(json: ConfigJson, where?: string): Model {
  const c = llavaConfig(json, where);
  const { imageSize } = c.vision;
  const writer: Writer = {
    vocabSize: c.text.vocabSize,
    width: c.text.width,
    maxPositions: c.text.maxPositions,
    state: c.text.state,
    linears: mountLinears(c.text.linears, 'language_model'),
    hidden: (p, x, ask) =>
      llavaHidden(
        p,
        c,
        { ids: neededInput(x, 'ids'), pixels: x.pixels, shown: x.imagesShown, imageRows: x.imageRows },
        ask,
      ),
    head: (p, hidden) => c.text.head(p.at('language_model'), hidden),
  };
  return {
    architecture: 'llava',
    json,
    layouts: llavaLayouts,
    tied: mountNames(c.text.tied, 'language_model'),
    parts: { language: 'language_model', vision: 'vision_tower', projector: 'multi_modal_projector' },
    image: { tokenId: c.imageTokenId, height: imageSize, width: imageSize },
    processor: (images) => processor(c, images),
    processorConfig: (imageToken) => ({
      processor_class: 'LlavaProcessor',
      patch_size: c.vision.patchSize,
      vision_feature_select_strategy: c.keepClass ? 'full' : 'default',
      num_additional_image_tokens: 1,
      image_token: imageToken,
    }),
    forward: (p, x) => ({ logits: writer.head(p, writer.hidden(p, x).hidden) }),
    look: (p, x) => clipVision(p.at('vision_tower'), c.vision, neededInput(x, 'pixels')).pooled,
    writer,
    pieces: {
      decoder: c.text,
      at: 'language_model',
      imageRows: (p, pixels) => llavaImageFeatures(p, c, pixels),
    },
  };
}

/** Every image takes the same number of tokens, whatever its own size. */
function processor(c: LlavaConfig, images: ImageProcessor = clipCrop(c.vision.imageSize)): Processor {
  const size = preparedSize(images, { height: c.vision.imageSize, width: c.vision.imageSize });
  const rows = llavaImageRows(c, size.height, size.width);
  const slots = `where the ${rows} features of each image go, in order: b * T + t for the place t of text b`;
  return {
    inputs: {
      ids: { ...tokenIds, says: `${tokenIds.says}; each image takes ${rows} tokens, of the id ${c.imageTokenId}` },
      pixels: imagePixels(size),
      imagesShown,
      imageRows: { dtype: 'int32', shape: [`${rows}*N`], join: 'slots', of: 'ids', says: slots },
    },
    plan: fixedImages(images, {
      ids: Array<number>(rows).fill(c.imageTokenId),
      slots: { imageRows: [...Array(rows).keys()] },
    }),
  };
}
