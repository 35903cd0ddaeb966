import { expect, test } from 'vitest';
import { imageTokens } from '../../test/support/processor.ts';
import { type Tensor, tensor } from '../base/index.ts';
import { batchSizes, joinMedia } from './collate.ts';
import { mediaOnce } from './media-once.ts';
import type { MediaPlan, Processor } from './processor.ts';
import type { Media } from './row.ts';

const image = (path: string): { readonly media: Media } => ({ media: { kind: 'image', path } });

test('media that a sample shows again are read once, and once more in another sample', () => {
  const rows = [[image('a'), image('b')], [image('a')], [image('a')], [image('c'), image('c')]];
  expect(mediaOnce(rows, 2)).toEqual({ read: [0, 1, 3, 4], shown: [0, 1, 0, 2, 3, 3] });
  expect(mediaOnce([[], []], 2)).toEqual({ read: [], shown: [] });
});

test('a part of an image is not the image', () => {
  const part = { media: { kind: 'image', path: 'a', change: { crop: [0, 0, 0.5, 0.5] } } } as const;
  expect(mediaOnce([[image('a')], [part], [image('a')]], 3)).toEqual({ read: [0, 1], shown: [0, 1, 0] });
});

const own = imageTokens(2);
const processor: Processor = {
  ...own,
  inputs: {
    ...own.inputs,
    shownAt: { dtype: 'int32', shape: ['N'], join: 'shown', of: 'pixels', each: 'U', says: 'which' },
  },
};

/** A clip of so many frames. */
const clip = (frames: number) => ({ pixels: tensor('float32', [frames, 1], new Float32Array(frames).fill(frames)) });

test('what is shown again is a place among what is brought, frame by frame', () => {
  const read = [[clip(2), clip(1)], [clip(2)]];
  const once = { read: [0, 1], shown: [0, 1, 0] };
  const feeds = joinMedia(read, processor, once);
  expect([...(feeds.get('pixels') as Tensor<'float32'>).data]).toEqual([2, 2, 1]);
  expect([...(feeds.get('shownAt') as Tensor<'int32'>).data]).toEqual([0, 1, 2, 0, 1]);
  const plan = (frames: number) => ({ slots: { imageRows: [0] }, sizes: { pixels: frames } }) as unknown as MediaPlan;
  const rows = [
    { ids: [1, 2], media: [2, 1].map((n) => ({ input: 'ids', start: 0, plan: plan(n) })) },
    { ids: [1], media: [{ input: 'ids', start: 0, plan: plan(2) }] },
  ];
  const { feeds: names, sizes } = batchSizes(rows, processor, once);
  expect(names).toEqual(['ids', 'pixels', 'imageRows', 'shownAt']);
  expect(Object.fromEntries(sizes)).toEqual({ B: 2, T: 2, U: 3, N: 5, R: 3 });
  expect(batchSizes(rows, processor).feeds).not.toContain('shownAt');
});

test('a model without such an input gets every medium each time it is shown', () => {
  const feeds = joinMedia([[clip(1)], [clip(1)]], own, { read: [0], shown: [0, 0] });
  expect(feeds.get('pixels')?.shape).toEqual([2, 1]);
});
