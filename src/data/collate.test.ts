import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collate } from './collate.ts';
import type { Example } from './example.ts';

const PAD = 99;

function example(
  ids: number[],
  supervised: number[],
  images: [path: string, start: number, tokens: number][] = [],
): Example {
  return {
    id: 'x',
    where: 'rows.json row 3',
    ids: Int32Array.from(ids),
    supervised: Uint8Array.from(supervised),
    images: images.map(([path, start, tokens]) => ({ image: { kind: 'image', path }, start, tokens })),
  };
}

const examples = fc.array(
  fc
    .array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 1 })), { minLength: 1, maxLength: 12 })
    .map((tokens) =>
      example(
        tokens.map(([id]) => id),
        tokens.map(([, mask]) => mask),
      ),
    ),
  { minLength: 1, maxLength: 5 },
);

describe('collate', () => {
  test('a batch worked by hand', () => {
    const batch = collate(
      [example([1, 7, 7, 5, 6], [0, 0, 0, 1, 1], [['a.png', 1, 2]]), example([1, 8, 4], [0, 0, 1], [['b.png', 1, 1]])],
      { padId: PAD, padTo: 4 },
    );
    expect(batch.ids.shape).toEqual([2, 8]);
    expect([...batch.ids.data]).toEqual([1, 7, 7, 5, 6, PAD, PAD, PAD, 1, 8, 4, PAD, PAD, PAD, PAD, PAD]);
    expect([...batch.targetRows.data]).toEqual([2, 3, 9]);
    expect([...batch.targetIds.data]).toEqual([5, 6, 4]);
    expect([...batch.imageRows.data]).toEqual([1, 2, 9]);
    expect([...batch.lengths]).toEqual([5, 3]);
    expect(batch.images).toEqual([{ path: 'a.png' }, { path: 'b.png' }]);
  });

  test('each supervised token but a first one is the target of the row before it', () => {
    fc.assert(
      fc.property(examples, fc.integer({ min: 1, max: 8 }), (rows, padTo) => {
        const batch = collate(rows, { padId: PAD, padTo, targets: 'optional' });
        const [count, width] = batch.ids.shape as [number, number];
        expect(count).toBe(rows.length);
        expect(width % padTo).toBe(0);
        expect(width - Math.max(...batch.lengths)).toBeLessThan(padTo);
        const supervised = rows.flatMap((row) => [...row.supervised.subarray(1)].filter(Boolean));
        expect(batch.targetRows.data).toHaveLength(supervised.length);
        for (const [k, row] of batch.targetRows.data.entries()) {
          expect(batch.ids.data[row + 1]).toBe(batch.targetIds.data[k]);
          expect((row % width) + 1).toBeLessThan(batch.lengths[Math.floor(row / width)] as number);
        }
        for (const [b, length] of batch.lengths.entries()) {
          expect([...batch.ids.data.subarray(b * width, b * width + length)]).toEqual([...(rows[b] as Example).ids]);
          expect(batch.ids.data.subarray(b * width + length, (b + 1) * width).every((id) => id === PAD)).toBe(true);
        }
      }),
    );
  });

  test('without a target it throws, unless told that none is needed', () => {
    const rows = [example([1, 2], [1, 0])];
    expect(() => collate(rows, { padId: PAD })).toThrow(
      expect.objectContaining({ code: 'batch/no-target', path: 'rows.json row 3' }),
    );
    expect(collate(rows, { padId: PAD, targets: 'optional' }).targetRows.shape).toEqual([0]);
    expect(() => collate([], { padId: PAD })).toThrow(expect.objectContaining({ code: 'batch/no-target' }));
  });
});
