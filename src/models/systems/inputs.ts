import type { Tensor } from '../../base/index.ts';
import type { Input, RgbImage } from '../../data/index.ts';
import { type ImageProcessor, planImage, processImage, type Size } from '../../data/index.ts';

/** Inputs that many systems have. */

export const tokenIds: Input = {
  dtype: 'int32',
  shape: ['B', 'T'],
  join: 'pad',
  says: 'token ids of B texts of T tokens',
};

/** Images of one size. */
export function imagePixels({ height, width }: Size): Input {
  return {
    dtype: 'float32',
    shape: ['N', 3, height, width],
    join: 'flat',
    says: 'N images, scaled and normalised as preprocessor_config.json says; channels red, green, blue',
  };
}

/**
 * The size of every image that a processor prepares, where it is one for all; `size` where no processor is given.
 * @throws TesseraError `image/size` for a processor whose results differ in size
 */
export function preparedSize(images: ImageProcessor | undefined, size: Size): Size {
  if (!images) return size;
  const { width, height } = images.crop ?? planImage(size, images).output;
  return { width, height };
}

/** One image as `[1, 3, H, W]`. */
export function preparedPixels(image: RgbImage, images: ImageProcessor): Tensor {
  const pixels = processImage(image, images);
  return { ...pixels, shape: [1, ...pixels.shape] };
}
