import type { RgbImage } from './rgb.ts';

/** Pixels of white between two images of a sheet. */
const GAP = 2;

/** Images of one size on one sheet, row by row, in a grid that is about as wide as it is high; one alone stays as it is. */
export function contactSheet(images: readonly RgbImage[]): RgbImage & { readonly data: Uint8Array<ArrayBuffer> } {
  const { width, height } = images[0] as RgbImage;
  const columns = Math.ceil(Math.sqrt(images.length));
  const rows = Math.ceil(images.length / columns);
  const whole = { width: columns * (width + GAP) - GAP, height: rows * (height + GAP) - GAP };
  const data = new Uint8Array(3 * whole.width * whole.height).fill(255);
  for (const [i, image] of images.entries()) {
    const [left, top] = [(i % columns) * (width + GAP), Math.floor(i / columns) * (height + GAP)];
    for (let y = 0; y < height; y++) {
      const line = image.data.subarray(3 * y * width, 3 * (y + 1) * width);
      data.set(line, 3 * ((top + y) * whole.width + left));
    }
  }
  return { ...whole, data };
}
