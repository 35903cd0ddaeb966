import { clipCrop, type ImageProcessor, type Media, type MediaPlan, type Processor } from '../../src/data/index.ts';

/** A processor whose images take so many tokens each, with inputs as LLaVA has them; an image is read as `[1, 1]`. */
export function imageTokens(tokens: number | ((media: Media) => number), tokenId = 3): Processor {
  const plan = (count: number): MediaPlan => ({
    ids: Array<number>(count).fill(tokenId),
    slots: { imageRows: [...Array(count).keys()] },
    sizes: { pixels: 1 },
    read: () => ({ pixels: { dtype: 'float32', shape: [1, 1], data: Float32Array.of(0) } }),
  });
  return {
    inputs: {
      ids: { dtype: 'int32', shape: ['B', 'T'], join: 'pad', says: 'ids' },
      pixels: { dtype: 'float32', shape: ['N', 1], join: 'flat', says: 'images' },
      imageRows: { dtype: 'int32', shape: ['R'], join: 'slots', of: 'ids', says: 'slots' },
    },
    plan: (image) => plan(typeof tokens === 'number' ? tokens : tokens(image)),
  };
}

/** Prepares images of this size. */
export function cropTo(height: number, width: number): ImageProcessor {
  return { ...clipCrop(1), crop: { height, width } };
}
