import { describe, expect, it } from 'vitest';
import { image, readCases } from '../../../test/support/image-cases.ts';
import type { ResampleFilter } from './resample.ts';
import { resample } from './resample.ts';
import { rgbImage } from './rgb.ts';

interface Facts {
  filter: ResampleFilter;
  source: [number, number];
  target: [number, number];
}

describe('resample equals PIL byte for byte', () => {
  for (const { facts, bytes } of readCases('resample')) {
    const { filter, source, target } = facts as unknown as Facts;
    it(`${filter} ${source.join('x')} to ${target.join('x')}`, () => {
      const out = resample(image(...source), { width: target[0], height: target[1] }, filter);
      expect([out.width, out.height]).toEqual(target);
      expect(Buffer.from(out.data).equals(bytes)).toBe(true);
    });
  }
});

describe('resample', () => {
  it('computes a window as a part of the whole', () => {
    const from = image(37, 61);
    const window = { left: 5, top: 11, width: 13, height: 7 };
    const sizes = [
      { width: 29, height: 80 },
      { width: 30, height: 20 },
      { width: 19, height: 50 },
    ];
    for (const [filter, size] of (['bicubic', 'nearest', 'box'] as const).flatMap((f) =>
      sizes.map((s) => [f, s] as const),
    )) {
      const whole = resample(from, size, filter);
      const part = resample(from, size, filter, window);
      for (let y = 0; y < window.height; y++) {
        const at = ((y + window.top) * size.width + window.left) * 3;
        const row = part.data.subarray(y * window.width * 3, (y + 1) * window.width * 3);
        expect(row).toEqual(whole.data.subarray(at, at + window.width * 3));
      }
    }
  });

  it('takes a window of an axis that keeps its length', () => {
    const from = image(12, 9);
    const part = resample(from, { width: 12, height: 9 }, 'bicubic', { left: 3, top: 4, width: 2, height: 1 });
    const at = (4 * 12 + 3) * 3;
    expect(part.data).toEqual(from.data.subarray(at, at + 6));
  });

  it('keeps an image of one colour', () => {
    const grey = rgbImage(17, 5, new Uint8Array(17 * 5 * 3).fill(201));
    for (const filter of ['lanczos', 'bicubic', 'bilinear', 'hamming', 'box', 'nearest'] as const) {
      expect(new Set(resample(grey, { width: 8, height: 23 }, filter).data)).toEqual(new Set([201]));
    }
  });

  it('refuses empty images and sizes', () => {
    expect(() => resample(image(2, 2), { width: 0, height: 3 }, 'box')).toThrow('at least one pixel');
    const outside = { left: 1, top: 0, width: 3, height: 1 };
    expect(() => resample(image(2, 2), { width: 3, height: 3 }, 'box', outside)).toThrow('outside the resized');
    expect(() => rgbImage(2, 2, new Uint8Array(11))).toThrow('do not fill');
  });
});
