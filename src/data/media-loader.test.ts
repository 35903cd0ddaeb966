import { copyFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import type { Tensor } from '../base/index.ts';
import { clipCrop, processImage, type RgbImage } from './image/index.ts';
import { mediaLoader } from './media-loader.ts';
import type { MediaPlan } from './processor.ts';

const SIDE = 14;
const IMAGE = 4 * 3 * SIDE * SIDE;
const { path } = scratchFolder();

const show = (file: string, ...names: readonly string[]) => {
  for (const name of names) copyFileSync(`test/fixtures/image/files/${file}`, path(name));
};

function open(images: number) {
  const loader = mediaLoader({ cacheBytes: images * IMAGE });
  const processor = clipCrop(SIDE);
  const plan: MediaPlan = {
    ids: [],
    slots: {},
    sizes: { pixels: 1 },
    read: ([image]) => ({ pixels: processImage(image as RgbImage, processor) }),
  };
  return async (...names: readonly string[]) => {
    const read = await loader.load(names.map((name) => ({ media: { kind: 'image', path: path(name) }, plan })));
    return Float32Array.from(read.flatMap(({ pixels }) => [...(pixels as Tensor<'float32'>).data]));
  };
}

describe('mediaLoader', () => {
  it('gives images in their order', async () => {
    show('bits.png', 'a');
    show('cmyk.jpg', 'b');
    const load = open(0);
    const [a, b] = [await load('a'), await load('b')];
    expect(a).not.toEqual(b);
    expect(await load('b', 'a', 'b')).toEqual(Float32Array.from([...b, ...a, ...b]));
  });

  it('keeps what fits, counts every image once, and lets the oldest go', async () => {
    show('bits.png', 'a', 'b', 'c');
    const load = open(2);
    const old = await load('a', 'a', 'a', 'b');
    await Promise.all([load('b'), load('b')]);
    show('cmyk.jpg', 'a', 'b', 'c');
    expect(await load('a', 'a', 'a', 'b')).toEqual(old);
    const fresh = await load('c');
    expect(fresh).not.toEqual(old.subarray(0, fresh.length));
    expect(await load('b')).toEqual(old.subarray(0, fresh.length));
    expect(await load('a')).toEqual(fresh);
  });

  it('reads an image again that could not be read', async () => {
    const load = open(2);
    await expect(load('later')).rejects.toMatchObject({ code: 'image/missing' });
    show('bits.png', 'later');
    expect((await load('later')).length).toBe(IMAGE / 4);
  });
});
