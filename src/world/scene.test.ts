import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { overlapShare } from './layout.ts';
import { renderScene } from './render.ts';
import type { Scene, Split } from './scene.ts';
import { makeScene, scaleScene, splits } from './scene.ts';
import { companions, isHeldOut } from './themes.ts';

const some = (split: Split, count = 300): Scene[] => Array.from({ length: count }, (_, i) => makeScene(7, split, i));
const heldOutIn = (scene: Scene): number => scene.objects.filter((o) => isHeldOut(o.shape, o.color)).length;

/** Share of the pairs of different shapes in a scene that keep company by theme. */
function companyShare(scenes: readonly Scene[]): number {
  const pairs = scenes.flatMap(({ objects }) =>
    objects.flatMap((a, i) => objects.slice(i + 1).map((b) => [a.shape, b.shape] as const)),
  );
  const different = pairs.filter(([a, b]) => a !== b);
  return different.filter(([a, b]) => companions(a).includes(b)).length / different.length;
}

describe('makeScene', () => {
  it('gives the same scenes and images on every machine', () => {
    const hash = createHash('sha256');
    for (const split of splits) {
      for (let i = 0; i < 8; i++) {
        const scene = makeScene(0, split, i, i < 6 ? {} : { occlusion: 0.3, clutter: 6, letters: 0.5 });
        hash.update(JSON.stringify(scene)).update(renderScene(scene, i % 2 === 0 ? 64 : 100).data);
      }
    }
    expect(hash.digest('hex')).toBe('c960ec968c03516314125136573ae40131b2d023c909ab8c7e05afa745b3369c');
  });

  it('keeps objects on the table, apart, and of the size it says', () => {
    for (const { objects } of some('train')) {
      objects.forEach((object, i) => {
        const [x1, y1, x2, y2] = object.bbox;
        const longer = Math.max(x2 - x1, y2 - y1);
        expect(Math.min(x1, y1)).toBeGreaterThanOrEqual(0);
        expect(Math.max(x2, y2)).toBeLessThanOrEqual(64);
        expect(object.size === 'large' ? longer >= 20 : longer <= 16).toBe(true);
        for (const other of objects.slice(i + 1)) expect(overlapShare(object.bbox, other.bbox)).toBe(0);
      });
    }
  });

  it('shows held-out combinations in the compositional split alone', () => {
    for (const split of ['train', 'val', 'flipped'] as const) {
      expect(some(split).reduce((n, scene) => n + heldOutIn(scene), 0)).toBe(0);
    }
    expect(some('compositional').every((scene) => heldOutIn(scene) > 0)).toBe(true);
  });

  it('lets shapes keep company, except in the flipped split', () => {
    expect(companyShare(some('train'))).toBeGreaterThan(0.7);
    expect(companyShare(some('flipped'))).toBeLessThan(0.25);
  });

  it('makes other scenes for other seeds, splits and indices', () => {
    const texts = [
      makeScene(0, 'train', 1),
      makeScene(1, 'train', 1),
      makeScene(0, 'val', 1),
      makeScene(0, 'train', 2),
    ];
    expect(new Set(texts.map((scene) => JSON.stringify(scene.objects))).size).toBe(4);
  });

  it('has the objects, letters, pebbles and overlaps it is asked for', () => {
    const scenes = Array.from({ length: 40 }, (_, i) =>
      makeScene(0, 'train', i, { objects: [4, 5], letters: 1, clutter: 5, occlusion: 0.5 }),
    );
    const overlaps = scenes.flatMap(({ objects }) =>
      objects.flatMap((a, i) => objects.slice(i + 1).map((b) => overlapShare(a.bbox, b.bbox))),
    );
    expect(scenes.every(({ objects }) => objects.length >= 4 && objects.every((o) => o.letter))).toBe(true);
    expect(scenes.some(({ clutter }) => clutter !== undefined && clutter.length > 2)).toBe(true);
    expect(Math.max(...overlaps)).toBeGreaterThan(0.2);
    expect(Math.max(...overlaps)).toBeLessThanOrEqual(0.5);
  });

  it('says so when the table is too full', () => {
    expect(() => makeScene(0, 'train', 0, { objects: [40, 40] })).toThrowError(
      expect.objectContaining({ code: 'world/crowded', got: '40' }),
    );
  });
});

describe('scaleScene', () => {
  it('moves boxes with the image', () => {
    const scene = makeScene(0, 'train', 3);
    const scaled = scaleScene(scene, 128);
    expect(scaled.objects.map((o) => o.bbox)).toEqual(scene.objects.map((o) => o.bbox.map((x) => 2 * x)));
    expect(scaleScene(scene, 64)).toBe(scene);
  });
});
