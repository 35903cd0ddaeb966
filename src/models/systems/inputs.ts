import type { Tensor } from '../../base/index.ts';
import {
  type ImageProcessor,
  type Input,
  imageOf,
  type MediaPlan,
  type Processor,
  planImage,
  processImage,
  type RgbImage,
  type Size,
} from '../../data/index.ts';
import type { SourceReader } from '../decoders/index.ts';

/** Inputs that many systems have. */

export const tokenIds: Input = {
  dtype: 'int32',
  shape: ['B', 'T'],
  join: 'pad',
  says: 'token ids of B texts of T tokens',
};

/** A text that is answered, and its answer: what an encoder-decoder reads. */
export function sourceInputs({ start }: SourceReader): Processor {
  return {
    inputs: {
      sourceIds: { dtype: 'int32', shape: ['B', 'S'], join: 'pad', says: 'token ids of B sources of S tokens' },
      sourceLengths: { dtype: 'int32', shape: ['B'], join: 'row', says: 'how many tokens each source has' },
      ids: { ...tokenIds, says: `token ids of B answers of T tokens, each behind the id ${start}` },
    },
    texts: ({ supervised }) => [supervised ? 'ids' : 'sourceIds'],
    opens: { ids: [start] },
    row: ({ texts }) => ({ sourceLengths: [texts?.sourceIds?.length ?? 0] }),
  };
}

/** Images of one size. */
export function imagePixels({ height, width }: Size): Input {
  return {
    dtype: 'float32',
    shape: ['N', 3, height, width],
    join: 'flat',
    says: 'N images, scaled and normalised as preprocessor_config.json says; channels red, green, blue',
  };
}

/** Which of the images that were read are shown, for rows that show the same. */
export const imagesShown: Input = {
  dtype: 'int32',
  shape: ['N'],
  join: 'shown',
  of: 'pixels',
  each: 'U',
  says: 'which of the U images of pixels each of the N that are shown is; absent where each is read by itself',
};

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
function preparedPixels(image: RgbImage, images: ImageProcessor): Tensor {
  const pixels = processImage(image, images);
  return { ...pixels, shape: [1, ...pixels.shape] };
}

/** Plans for images that are all prepared to one size, whatever their own: each has the same tokens at the same slots. */
export function fixedImages(
  images: ImageProcessor,
  { ids, slots }: Pick<MediaPlan, 'ids' | 'slots'>,
): NonNullable<Processor['plan']> {
  const plan: MediaPlan = {
    ids,
    slots,
    sizes: { pixels: 1 },
    read: ([image]) => ({ pixels: preparedPixels(image as RgbImage, images) }),
  };
  return (media) => {
    imageOf(media);
    return plan;
  };
}
