import type { RgbImage } from '../../../data/index.ts';

/** Colours of a terminal: 24 bits, the 256 of its palette, or none that an image could be drawn in. */
export type Colours = 'true' | 'palette' | 'none';

/** What drawing needs of a stream. */
export interface Canvas {
  readonly isTTY?: boolean;
  getColorDepth?(env?: object): number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The colours that a stream shows; none where it is no terminal or its user wants none. */
export function coloursOf(stream: Canvas, env: Environment = process.env): Colours {
  if (stream.isTTY !== true || env.TERM === 'dumb' || (env.NO_COLOR ?? '') !== '') return 'none';
  const depth = stream.getColorDepth?.(env) ?? 1;
  return depth >= 24 ? 'true' : depth >= 8 ? 'palette' : 'none';
}

/**
 * An image as lines of text: each character is two pixels, one above the other, the upper in the colour of a half block
 * and the lower in that behind it.
 * @param columns pixels in a row; the image is shrunk to them by averages over boxes
 */
export function halfBlocks(image: RgbImage, columns: number, colours: 'true' | 'palette'): string[] {
  const rows = 2 * Math.max(1, Math.round((columns * image.height) / image.width / 2));
  const colour = (x: number, y: number) => {
    const rgb = average(image, [x / columns, y / rows], [(x + 1) / columns, (y + 1) / rows]);
    return colours === 'true' ? `2;${rgb.join(';')}` : `5;${paletteIndex(rgb)}`;
  };
  return Array.from({ length: rows / 2 }, (_, line) => {
    const cells = Array.from(
      { length: columns },
      (_, x) => `\u001b[38;${colour(x, 2 * line)};48;${colour(x, 2 * line + 1)}m▀`,
    );
    return `${cells.join('')}\u001b[0m`;
  });
}

type Rgb = readonly [number, number, number];
type Corner = readonly [x: number, y: number];

/** The mean of the pixels between two corners, given as shares of the sides. */
function average({ width, height, data }: RgbImage, [x0, y0]: Corner, [x1, y1]: Corner): Rgb {
  const [left, top] = [Math.floor(x0 * width), Math.floor(y0 * height)];
  const [right, bottom] = [Math.max(left + 1, Math.floor(x1 * width)), Math.max(top + 1, Math.floor(y1 * height))];
  const sums = [0, 0, 0];
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      for (let c = 0; c < 3; c++) sums[c] = (sums[c] as number) + (data[(y * width + x) * 3 + c] as number);
    }
  }
  const count = (right - left) * (bottom - top);
  return sums.map((sum) => Math.round(sum / count)) as unknown as Rgb;
}

/** Levels of each channel in the 6 x 6 x 6 colours of xterm's palette, which begin at 16; greys begin at 232. */
const levels = [0, 95, 135, 175, 215, 255];

/** The nearest of xterm's 240 fixed colours. */
function paletteIndex(rgb: Rgb): number {
  const nearest = rgb.map((value) => indexOfLeast(levels.map((level) => Math.abs(level - value))));
  const grey = Math.min(23, Math.max(0, Math.round(((rgb[0] + rgb[1] + rgb[2]) / 3 - 8) / 10)));
  const far = (other: readonly number[]) => rgb.reduce((sum, value, c) => sum + (value - (other[c] as number)) ** 2, 0);
  const cube = nearest.map((at) => levels[at] as number);
  if (far(Array(3).fill(8 + 10 * grey)) < far(cube)) return 232 + grey;
  const [r = 0, g = 0, b = 0] = nearest;
  return 16 + 36 * r + 6 * g + b;
}

function indexOfLeast(values: readonly number[]): number {
  return values.indexOf(Math.min(...values));
}
