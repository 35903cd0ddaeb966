import { TesseraError } from '../../base/index.ts';

/** An 8-bit RGB image, row-major with interleaved channels: `data[(y * width + x) * 3 + c]`. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Width and height in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A rectangle of pixels; `left` and `top` may be negative where a step allows it. */
export interface Window extends Size {
  readonly left: number;
  readonly top: number;
}

/**
 * Wraps bytes as an image.
 * @throws TesseraError `image/size` when the sides are no positive integers or the bytes do not fill them.
 */
export function rgbImage(width: number, height: number, data: Uint8Array): RgbImage {
  checkSize({ width, height });
  if (data.length !== width * height * 3) {
    throw new TesseraError({
      code: 'image/size',
      message: 'the bytes do not fill the image',
      expected: `${width * height * 3} bytes for ${width}x${height} RGB`,
      got: `${data.length}`,
    });
  }
  return { width, height, data };
}

export function checkSize(size: Size): void {
  if (Number.isInteger(size.width) && Number.isInteger(size.height) && size.width > 0 && size.height > 0) return;
  throw new TesseraError({
    code: 'image/size',
    message: 'an image needs at least one pixel each way',
    expected: 'positive integers',
    got: `${size.width}x${size.height}`,
  });
}

/** An image of one colour. */
export function filled(size: Size, colour: readonly [number, number, number]): RgbImage {
  const data = new Uint8Array(size.width * size.height * 3);
  if (colour.some((value) => value !== 0)) {
    for (let i = 0; i < data.length; i += 3) data.set(colour, i);
  }
  return { ...size, data };
}

/** Copies `source` onto `target` (in place) with its corner at `left`, `top`; what falls outside is cut off. */
export function paste(target: RgbImage, source: RgbImage, left: number, top: number): void {
  const x0 = Math.max(0, left);
  const x1 = Math.min(target.width, left + source.width);
  const y0 = Math.max(0, top);
  const y1 = Math.min(target.height, top + source.height);
  if (x1 <= x0) return;
  for (let y = y0; y < y1; y++) {
    const from = ((y - top) * source.width + (x0 - left)) * 3;
    target.data.set(source.data.subarray(from, from + (x1 - x0) * 3), (y * target.width + x0) * 3);
  }
}

/** A part of an image; the image itself where it is all of it. */
export function cut(image: RgbImage, { left, top, width, height }: Window): RgbImage {
  if (width === image.width && height === image.height) return image;
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const at = ((top + y) * image.width + left) * 3;
    data.set(image.data.subarray(at, at + width * 3), y * width * 3);
  }
  return { width, height, data };
}
