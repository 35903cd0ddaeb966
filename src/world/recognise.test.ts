import { describe, expect, it } from 'vitest';
import { Random } from '../base/index.ts';
import { recognise } from './recognise.ts';
import { renderScene } from './render.ts';
import { makeScene } from './scene.ts';

const name = ({ color, shape }: { color: string; shape: string }) => `${color} ${shape}`;

/** Of the things of some scenes how many are found by colour and shape, and of those found how many are there. */
function read(count: number, change: (image: ReturnType<typeof renderScene>) => ReturnType<typeof renderScene>) {
  let [there, found, right] = [0, 0, 0];
  for (let index = 0; index < count; index++) {
    const scene = makeScene(9, 'compositional', index);
    const left = scene.objects.map(name);
    const got = recognise(change(renderScene(scene))).map(name);
    there += left.length;
    found += got.length;
    for (const one of got) {
      const at = left.indexOf(one);
      if (at < 0) continue;
      right++;
      left.splice(at, 1);
    }
  }
  return { recall: right / there, precision: right / found };
}

/** Every two by two pixels as one. */
function halved({ width, data }: ReturnType<typeof renderScene>) {
  const side = width / 2;
  const out = new Uint8Array(3 * side * side);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++)
      for (let c = 0; c < 3; c++) {
        const at = (dy: number, dx: number) => data[3 * ((2 * y + dy) * width + 2 * x + dx) + c] as number;
        out[3 * (y * side + x) + c] = Math.round((at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4);
      }
  return { width: side, height: side, data: out };
}

describe('recognise', () => {
  it('reads real renderings of the world', () => {
    const { recall, precision } = read(50, (image) => image);
    expect(recall).toBeGreaterThan(0.99);
    expect(precision).toBeGreaterThan(0.99);
  });

  it('reads them at half the size, and with noise', () => {
    const half = read(50, halved);
    expect(half.recall).toBeGreaterThan(0.98);
    expect(half.precision).toBeGreaterThan(0.98);
    const random = new Random(0, 'noise');
    const noisy = read(20, ({ data, ...image }) => ({
      ...image,
      data: data.map((value) => Math.min(255, Math.max(0, value + 25 * random.normal()))),
    }));
    expect(noisy.recall).toBeGreaterThan(0.95);
    expect(noisy.precision).toBeGreaterThan(0.95);
  });

  it('says where things are in the pixels of the image', () => {
    const scene = makeScene(9, 'val', 3);
    const found = recognise(renderScene(scene, 128)).map(({ bbox }) => bbox.join());
    expect(found.sort()).toEqual(scene.objects.map(({ bbox }) => bbox.map((x) => 2 * x).join()).sort());
  });

  it('finds nothing on a bare table, in one colour, or in noise', () => {
    const scene = { ...makeScene(9, 'val', 0), objects: [] };
    expect(recognise(renderScene(scene))).toEqual([]);
    const [width, height] = [32, 32];
    expect(recognise({ width, height, data: new Uint8Array(3 * 32 * 32).fill(120) })).toEqual([]);
    const random = new Random(0, 'noise');
    const data = new Uint8Array(3 * 32 * 32).map(() => random.int(0, 256));
    expect(recognise({ width, height, data })).toEqual([]);
  });

  it('refuses what is no image of a table', () => {
    const image = { width: 32, height: 16, data: new Uint8Array(3 * 32 * 16) };
    expect(() => recognise(image)).toThrow(expect.objectContaining({ code: 'world/recognise', got: '32 x 16' }));
  });
});
