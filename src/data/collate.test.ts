import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { imageTokens } from '../../test/support/processor.ts';
import { int32, type Tensor, tensor } from '../base/index.ts';
import { batchSizes, collate, joinMedia } from './collate.ts';
import type { Example } from './example.ts';
import type { MediaSpan, Processor } from './processor.ts';
import { supervisedTargets } from './targets.ts';

const PAD = 99;
const text = { ids: { dtype: 'int32', shape: ['B', 'T'], join: 'pad', says: 'ids' } } as const;

function example(
  ids: number[],
  supervised: number[],
  images: readonly [path: string, start: number, tokens: number][] = [],
): Example {
  const media = images.map(([path, start, tokens]): MediaSpan => {
    const image = { kind: 'image', path } as const;
    return {
      media: image,
      input: 'ids',
      start,
      tokens,
      plan: imageTokens(tokens).plan?.(image, () => []) as MediaSpan['plan'],
    };
  });
  return {
    id: 'x',
    where: 'rows.json row 3',
    ids: Int32Array.from(ids),
    supervised: Uint8Array.from(supervised),
    media,
  };
}

const examples = fc.array(
  fc
    .array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 1 })), { minLength: 2, maxLength: 12 })
    .map((tokens) =>
      example(
        tokens.map(([id]) => id),
        tokens.map(([, mask], i) => (i === 1 ? 1 : mask)),
      ),
    ),
  { minLength: 1, maxLength: 5 },
);

const numbersOf = (feeds: ReadonlyMap<string, Tensor>, name: string) => [
  ...((feeds.get(name)?.data ?? []) as Int32Array),
];

describe('collate', () => {
  const rows = [
    example([1, 7, 7, 5, 6], [0, 0, 0, 1, 1], [['a.png', 1, 2]]),
    example([1, 8, 4], [0, 0, 1], [['b.png', 1, 1]]),
  ];

  test('a batch worked by hand', () => {
    const feeds = collate(rows, imageTokens(1), PAD);
    expect(feeds.get('ids')?.shape).toEqual([2, 5]);
    expect(numbersOf(feeds, 'ids')).toEqual([1, 7, 7, 5, 6, 1, 8, 4, PAD, PAD]);
    expect(numbersOf(feeds, 'imageRows')).toEqual([1, 2, 6]);
    const { targetRows, targetIds, targetSamples } = supervisedTargets(rows, 5);
    expect([...targetRows.data]).toEqual([2, 3, 6]);
    expect([...targetIds.data]).toEqual([5, 6, 4]);
    expect([...targetSamples.data]).toEqual([0, 0, 1]);
  });

  test('tells its sizes and feeds without reading anything', () => {
    const { feeds, sizes } = batchSizes(rows, imageTokens(1));
    expect(feeds).toEqual(['ids', 'pixels', 'imageRows']);
    expect(Object.fromEntries(sizes)).toEqual({ B: 2, T: 5, N: 2, R: 3 });
    expect(batchSizes([example([1, 2], [0, 1])], imageTokens(1)).feeds).toEqual(['ids']);
  });

  test('each supervised token but a first one is the target of the row before it', () => {
    fc.assert(
      fc.property(examples, (some) => {
        const ids = collate(some, { inputs: text }, PAD).get('ids') as Tensor<'int32'>;
        const [count, width] = ids.shape as [number, number];
        expect(count).toBe(some.length);
        const lengths = some.map((row) => row.ids.length);
        expect(width).toBe(Math.max(...lengths));
        const { targetRows, targetIds } = supervisedTargets(some, width);
        const supervised = some.flatMap((row) => [...row.supervised.subarray(1)].filter(Boolean));
        expect(targetRows.data).toHaveLength(supervised.length);
        for (const [k, row] of targetRows.data.entries()) {
          expect(ids.data[row + 1]).toBe(targetIds.data[k]);
          expect((row % width) + 1).toBeLessThan(lengths[Math.floor(row / width)] as number);
        }
        for (const [b, length] of lengths.entries()) {
          expect([...ids.data.subarray(b * width, b * width + length)]).toEqual([...(some[b] as Example).ids]);
          expect(ids.data.subarray(b * width + length, (b + 1) * width).every((id) => id === PAD)).toBe(true);
        }
      }),
    );
  });

  test('a batch without a target is a fault', () => {
    expect(() => supervisedTargets([example([1, 2], [1, 0])], 2)).toThrow(
      expect.objectContaining({ code: 'batch/no-target', path: 'rows.json row 3' }),
    );
    expect(() => supervisedTargets([], 0)).toThrow(expect.objectContaining({ code: 'batch/no-target' }));
  });
});

describe('every way of joining', () => {
  const wide: Processor = {
    inputs: {
      ...text,
      sourceIds: { dtype: 'int32', shape: ['B', 'S'], join: 'pad', says: 'another text' },
      sourceLengths: { dtype: 'int32', shape: ['B'], join: 'row', says: 'its length' },
      lastImage: { dtype: 'int32', shape: ['B', 'T'], join: 'pad', says: 'the image before each token' },
      patches: { dtype: 'float32', shape: ['P', 2], join: 'flat', says: 'patches of all images' },
      owner: { dtype: 'int32', shape: ['B*N'], join: 'index', into: 'B', says: 'the row of each image' },
      neighbours: { dtype: 'int32', shape: ['M'], join: 'index', into: 'P', says: 'a patch beside each' },
      places: { dtype: 'int32', shape: ['R'], join: 'slots', of: 'sourceIds', says: 'slots in the other text' },
    },
    row: ({ ids, texts }) => ({
      sourceLengths: [texts?.sourceIds?.length ?? 0],
      lastImage: Array.from(ids, (_, t) => t),
    }),
  };
  const medium = (input: string, start: number, patches: number) => ({
    input,
    start,
    plan: { slots: { places: [0, 2] }, sizes: { patches, owner: 1, neighbours: patches } },
  });
  const rows = [
    { ids: [1, 2], texts: { sourceIds: [5, 6, 7, 8] }, media: [medium('sourceIds', 1, 2), medium('sourceIds', 0, 1)] },
    { ids: [3], texts: { sourceIds: [9] }, media: [medium('sourceIds', 0, 3)] },
  ];
  const read = rows.map(({ media }) =>
    media.map(({ plan: { sizes } }) => ({
      patches: tensor('float32', [sizes.patches, 2], new Float32Array(2 * sizes.patches)),
      owner: int32([1], [0]),
      neighbours: int32([sizes.patches], [...Array(sizes.patches).keys()]),
    })),
  );

  test('pads, stacks, lists places of the text they are in, and moves counts on', () => {
    const feeds = collate(rows, wide, 0);
    expect(numbersOf(feeds, 'sourceIds')).toEqual([5, 6, 7, 8, 9, 0, 0, 0]);
    expect(numbersOf(feeds, 'sourceLengths')).toEqual([4, 1]);
    expect(numbersOf(feeds, 'lastImage')).toEqual([0, 1, 0, 0]);
    expect(numbersOf(feeds, 'places')).toEqual([1, 3, 0, 2, 4, 6]);
    const joined = joinMedia(read, wide);
    expect(joined.get('patches')?.shape).toEqual([6, 2]);
    expect(numbersOf(joined, 'owner')).toEqual([0, 0, 1]);
    expect(numbersOf(joined, 'neighbours')).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('pads to a length that is told, which the places follow', () => {
    const feeds = collate(rows, wide, 0, new Map([['S', 6]]));
    expect(numbersOf(feeds, 'sourceIds')).toEqual([5, 6, 7, 8, 0, 0, 9, 0, 0, 0, 0, 0]);
    expect(numbersOf(feeds, 'places')).toEqual([1, 3, 0, 2, 6, 8]);
    expect(collate([{ ids: [1] }], wide, 0, new Map([['S', 6]])).has('sourceIds')).toBe(false);
  });

  test('foretells the sizes of all of it', () => {
    const { sizes } = batchSizes(rows, wide);
    expect(Object.fromEntries(sizes)).toEqual({ B: 2, T: 2, S: 4, P: 6, M: 6, R: 6 });
  });
});
