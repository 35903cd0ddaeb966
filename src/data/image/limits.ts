/** Most pixels of an image that is read: those above which Pillow speaks of a decompression bomb, `Image.MAX_IMAGE_PIXELS` twice. */
export const DEFAULT_MAX_PIXELS = 178_956_970;

/** Longest side; JPEG and GIF have none longer, and resizing keeps some numbers for each pixel of a side. */
export const MAX_SIDE = 65_535;

/** Whether an image of this size is read. */
export function fits(width: number, height: number, limit = DEFAULT_MAX_PIXELS): boolean {
  return width * height <= limit && width <= MAX_SIDE && height <= MAX_SIDE;
}
