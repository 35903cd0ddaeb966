import { clipCrop, type ImageProcessor, type Processor } from '../../data/index.ts';
import type { Value } from '../../graph/index.ts';
import type { ConfigJson } from '../config.ts';
import { neededInput } from '../inputs.ts';
import type { Embedder, Model } from '../model.ts';
import { clipJson } from '../sizes.ts';
import {
  clipConfig,
  clipImage,
  clipLogitScale,
  clipTextVector,
  clipTowers,
  clipVision,
  clipVisionConfig,
} from '../vision/clip.ts';
import { clipLayouts, clipVisionLayouts } from '../weights/index.ts';
import { fixedImages, imagePixels, preparedSize, tokenIds } from './inputs.ts';
import { newWords, oneTokenizer } from './keys.ts';
import type { SystemRecipe } from './recipe.ts';

export const clipRecipe: SystemRecipe = {
  keys: newWords,
  needs: ['size'],
  oneOf: { tokenizer: oneTokenizer },
  fresh: clipJson,
  does: ['embedder'],
  seesImages: false,
};

/** CLIP's two towers (Radford et al. 2021). */
export function clip(json: ConfigJson, where?: string): Model {
  const c = clipConfig(json, where);
  const { imageSize } = c.vision;
  const embedder: Embedder = {
    maxPositions: c.text.maxPositions,
    image: (p, x) => clipImage(p, c, neededInput(x, 'pixels')),
    text: (p, x) => clipTextVector(p, c, neededInput(x, 'ids'), neededInput(x, 'endRows')),
    logitScale: (p) => clipLogitScale(p, c),
  };
  return {
    architecture: 'clip',
    json,
    layouts: clipLayouts,
    tied: {},
    parts: { vision: 'vision_model', text: 'text_model' },
    image: { height: imageSize, width: imageSize },
    processor: (images) => {
      const { inputs, plan } = tower(imageSize, images);
      return {
        inputs: {
          ids: tokenIds,
          ...inputs,
          endRows: {
            dtype: 'int32',
            shape: ['B'],
            join: 'slots',
            of: 'ids',
            says: 'where each text ends: b * T + t for its end token at the place t of text b',
          },
        },
        plan,
        beside: true,
        row: ({ ids }) => ({ endRows: [ids.length - 1] }),
      };
    },
    forward: (p, x) => {
      const [pixels, ids, endRows] = ['pixels', 'ids', 'endRows'].map((name) => neededInput(x, name)) as [
        Value,
        Value,
        Value,
      ];
      return clipTowers(p, c, { pixels, ids, endRows });
    },
    embedder,
  };
}

/** A vision tower on its own; it is loaded into other models. */
export function clipVisionModel(json: ConfigJson, where?: string): Model {
  const c = clipVisionConfig(json, where);
  return {
    architecture: 'clip_vision_model',
    json,
    layouts: clipVisionLayouts,
    tied: {},
    parts: { vision: '' },
    image: { height: c.imageSize, width: c.imageSize },
    processor: (images) => ({ ...tower(c.imageSize, images), beside: true }),
    forward: (p, x) => ({
      last_hidden_state: clipVision(p, c, neededInput(x, 'pixels')).hiddenStates.at(-1) as NonNullable<typeof x.pixels>,
    }),
  };
}

function tower(side: number, images: ImageProcessor = clipCrop(side)): Required<Pick<Processor, 'inputs' | 'plan'>> {
  return {
    inputs: { pixels: imagePixels(preparedSize(images, { height: side, width: side })) },
    plan: fixedImages(images, { ids: [], slots: {} }),
  };
}
