import { resample } from './resample.ts';
import { cut, type RgbImage } from './rgb.ts';

/**
 * A part of an image, stretched to the image's size with PIL's bilinear filter.
 * @param part left and top edge, width and height in shares of the image's, whole pixels being taken and one at least
 */
export function cropAndStretch(
  image: RgbImage,
  [left, top, width, height]: readonly [left: number, top: number, width: number, height: number],
): RgbImage {
  const [x, columns] = pixels(left, width, image.width);
  const [y, rows] = pixels(top, height, image.height);
  return resample(cut(image, { left: x, top: y, width: columns, height: rows }), image, 'bilinear');
}

function pixels(start: number, share: number, side: number): [number, number] {
  const length = Math.min(side, Math.max(1, Math.round(share * side)));
  return [Math.max(0, Math.min(side - length, Math.round(start * side))), length];
}
