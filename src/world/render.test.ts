import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { colors, shapes } from './attributes.ts';
import { outlines } from './outlines.ts';
import { encodePng } from './png.ts';
import { renderScene } from './render.ts';
import type { Scene, SceneObject } from './scene.ts';
import { makeScene } from './scene.ts';

function alone(object: Partial<SceneObject>): Scene {
  const ball = { id: 0, shape: 'ball', color: 'red', size: 'large', pattern: 'solid', bbox: [20, 20, 44, 44] } as const;
  return { image_id: 0, width: 64, height: 64, background: 'white', objects: [{ ...ball, ...object }] };
}

const pixel = (scene: Scene, x: number, y: number, size = 64): number[] => [
  ...renderScene(scene, size).data.subarray((y * size + x) * 3, (y * size + x) * 3 + 3),
];

describe('renderScene', () => {
  it('paints objects where their boxes are, at any size', () => {
    expect(pixel(alone({}), 32, 32)).toEqual([214, 30, 36]);
    expect(pixel(alone({}), 32, 18)).toEqual([244, 243, 240]);
    expect(pixel(alone({}), 112, 112, 224)).toEqual([214, 30, 36]);
  });

  it('smooths edges', () => {
    const scene = alone({ color: 'black' });
    const reds = Array.from({ length: 24 }, (_, i) => pixel(scene, 20 + i, 23)[0] as number);
    expect(reds.some((red) => red > 40 && red < 230)).toBe(true);
  });

  it('paints later objects over earlier ones', () => {
    const [object] = alone({}).objects as [SceneObject];
    const scene = { ...alone({}), objects: [object, { ...object, id: 1, color: 'blue' as const }] };
    expect(pixel(scene, 32, 32)).toEqual([30, 80, 220]);
  });

  it('tells all shapes apart by their outline', () => {
    const cells = Array.from(
      { length: 400 },
      (_, i) => [((i % 20) + 0.5) / 20, (Math.floor(i / 20) + 0.5) / 20] as const,
    );
    const filled = shapes.map((shape) => cells.map(([u, v]) => outlines[shape].inside(u, v)));
    filled.forEach((a, i) => {
      for (const b of filled.slice(i + 1)) {
        const both = a.filter((on, k) => on && b[k]).length;
        const either = a.filter((on, k) => on || b[k]).length;
        expect(both / either).toBeLessThan(0.81);
      }
    });
  });

  it('tells all colours and patterns apart', () => {
    const images = [
      ...colors.map((color) => alone({ color })),
      ...(['striped', 'dotted'] as const).map((pattern) => alone({ pattern })),
      alone({ letter: 'A' }),
    ].map((scene) => `${renderScene(scene).data}`);
    expect(new Set(images).size).toBe(images.length);
  });

  it('refuses images that are too small', () => {
    expect(() => renderScene(alone({}), 32)).toThrowError(expect.objectContaining({ code: 'world/picture-size' }));
  });
});

describe('encodePng', () => {
  it('writes files that an independent decoder reads back exactly', async () => {
    for (const size of [64, 97]) {
      const image = renderScene(makeScene(1, 'train', 5, { clutter: 5 }), size);
      const { data, info } = await sharp(encodePng(image)).raw().toBuffer({ resolveWithObject: true });
      expect([info.width, info.height, info.channels]).toEqual([size, size, 3]);
      expect(Buffer.compare(data, Buffer.from(image.data))).toBe(0);
    }
  });

  it('refuses pixels that do not fill the image', () => {
    expect(() => encodePng({ width: 2, height: 2, data: new Uint8Array(11) })).toThrowError(
      expect.objectContaining({ code: 'png/length', got: '11' }),
    );
  });
});
