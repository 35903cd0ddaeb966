import { describe, expect, it } from 'vitest';
import { image, readCases } from '../../../test/support/image-cases.ts';
import { clipCrop, clipPad, clipSquash, planImage, processImage, siglip } from './processor.ts';
import { readImageProcessor } from './processor-config.ts';
import { rgbImage } from './rgb.ts';

describe('processImage equals transformers', () => {
  for (const { facts, shape, bytes } of readCases('processor')) {
    const { name, source, config } = facts as { name: string; source: [number, number]; config: unknown };
    it(`${name} ${source.join('x')}`, () => {
      const processor = readImageProcessor(config, 'preprocessor_config.json');
      const made = image(...source);
      const out = processImage(made, processor);
      expect(out.shape).toEqual(shape);
      const { width, height } = planImage(made, processor).output;
      expect([3, height, width]).toEqual(shape);
      expect(Buffer.from(out.data.buffer).equals(bytes)).toBe(true);
    });
  }
});

describe('planImage', () => {
  it('crops the middle of the resized image', () => {
    expect(planImage({ width: 640, height: 427 }, clipCrop(336))).toEqual({
      source: { width: 640, height: 427 },
      steps: [
        { op: 'resize', size: { width: 503, height: 336 }, filter: 'bicubic' },
        { op: 'crop', window: { left: 83, top: 0, width: 336, height: 336 } },
      ],
      output: { width: 336, height: 336 },
    });
  });

  it('pads with the mean colour, the odd pixel behind', () => {
    const [pad] = planImage({ width: 5, height: 2 }, clipPad(4)).steps;
    expect(pad).toEqual({ op: 'pad', size: { width: 5, height: 5 }, left: 0, top: 1, colour: [122, 116, 104] });
    expect(planImage({ width: 5, height: 5 }, clipPad(4)).steps.map((s) => s.op)).toEqual(['resize', 'crop']);
  });

  it('squashes without a crop', () => {
    const { steps, output } = planImage({ width: 9, height: 2 }, clipSquash(6));
    expect(steps.map((s) => s.op)).toEqual(['resize']);
    expect(output).toEqual({ width: 6, height: 6 });
    expect(planImage({ width: 9, height: 2 }, siglip({ width: 8, height: 6 })).output).toEqual({ width: 8, height: 6 });
  });

  it('leaves the size open where nothing fixes it', () => {
    const processor = { ...clipCrop(10), crop: undefined };
    expect(planImage({ width: 30, height: 19 }, processor).output).toEqual({ width: 15, height: 10 });
  });
});

describe('processImage', () => {
  it('keeps a very long strip cheap', () => {
    const strip = rgbImage(1, 20000, new Uint8Array(60000).fill(255));
    const out = processImage(strip, { ...clipCrop(336), normalize: undefined });
    expect(out.shape).toEqual([3, 336, 336]);
    expect(out.data.every((value) => value === 1)).toBe(true);
  });

  it('refuses a plan for another size', () => {
    const plan = planImage({ width: 4, height: 5 }, clipCrop(3));
    expect(() => processImage(image(5, 4), clipCrop(3), plan)).toThrow('another size');
  });
});

describe('images of extreme shapes', () => {
  it('are cut without laying out what is cut away', () => {
    for (const size of [
      { width: 1, height: 5000 },
      { width: 5000, height: 1 },
    ]) {
      const image = rgbImage(size.width, size.height, new Uint8Array(15_000));
      expect(processImage(image, clipCrop(32)).shape).toEqual([3, 32, 32]);
    }
  });

  it('are refused where a step would lay out too much', () => {
    const long = { width: 1, height: 60_000 };
    expect(() => planImage(long, clipPad(32))).toThrow(expect.objectContaining({ code: 'image/shape' }));
    const uncut = { ...clipCrop(336), crop: undefined };
    expect(() => planImage(long, uncut)).toThrow(expect.objectContaining({ code: 'image/shape' }));
    expect(planImage(long, clipCrop(336)).output).toEqual({ width: 336, height: 336 });
  });
});
