import { expect, it } from 'vitest';
import type { RgbImage } from './rgb.ts';
import { contactSheet } from './sheet.ts';

const plain = (value: number): RgbImage => ({ width: 3, height: 2, data: new Uint8Array(18).fill(value) });

it('a sheet shows images row by row, with white between them and where one is missing', () => {
  const { width, height, data } = contactSheet([plain(1), plain(2), plain(3)]);
  expect([width, height]).toEqual([8, 6]);
  const line = (y: number) => Array.from({ length: width }, (_, x) => data[3 * (y * width + x)]);
  expect(line(1)).toEqual([1, 1, 1, 255, 255, 2, 2, 2]);
  expect(line(3)).toEqual(Array(8).fill(255));
  expect(line(5)).toEqual([3, 3, 3, 255, 255, 255, 255, 255]);
});

it('a sheet of one image is that image', () => {
  expect(contactSheet([plain(7)])).toEqual(plain(7));
});
