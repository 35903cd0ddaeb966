import { describe, expect, it } from 'vitest';
import { cropAndStretch } from './crop.ts';
import { rgbImage } from './rgb.ts';

/** Red tells the column of a pixel, green its row. */
const image = rgbImage(
  8,
  4,
  Uint8Array.from({ length: 8 * 4 * 3 }, (_, i) => [Math.floor(i / 3) % 8, Math.floor(i / 24), 7][i % 3] as number),
);

const channel = (data: Uint8Array, c: number) => [...data].filter((_, i) => i % 3 === c);

describe('a part of an image', () => {
  it('is stretched to the size of the whole', () => {
    const { width, height, data } = cropAndStretch(image, [0.5, 0.25, 0.25, 0.5]);
    expect([width, height]).toEqual([8, 4]);
    // Columns 4 and 5, rows 1 and 2, and nothing else.
    expect(new Set(channel(data, 0))).toEqual(new Set([4, 5]));
    expect(new Set(channel(data, 1))).toEqual(new Set([1, 2]));
    expect(channel(data, 0).slice(0, 8)).toEqual([4, 4, 4, 4, 5, 5, 5, 5]);
  });

  it('is the image where it is all of it, and one pixel at least', () => {
    expect(cropAndStretch(image, [0, 0, 1, 1])).toEqual(image);
    const { data } = cropAndStretch(image, [0.99, 0.99, 0.001, 0.001]);
    expect(new Set(channel(data, 0))).toEqual(new Set([7]));
    expect(new Set(channel(data, 1))).toEqual(new Set([3]));
  });
});
