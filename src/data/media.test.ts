import { describe, expect, test } from 'vitest';
import { imageOf, mediaKey, mediaPaths } from './media.ts';
import type { Media } from './row.ts';

const image: Media = { kind: 'image', path: '/a.png' };
const change = { crop: [0.25, 0.5, 0.5, 0.25] } as const;
const video: Media = { kind: 'video', frames: ['/1.png', '/2.png'] };
const region: Media = { kind: 'region', of: 0, region: { box: [0, 0, 8, 8] } };

describe('media', () => {
  test('an image is one, whatever is changed of it', () => {
    expect(imageOf({ ...image, change })).toEqual({ ...image, change });
  });

  test.each([
    ['videos', video],
    ['regions', region],
  ])('%s are refused by name where images alone are taken', (what, media) => {
    const fault = { code: 'row/media', message: `the system takes no ${what}` };
    expect(() => imageOf(media)).toThrow(expect.objectContaining(fault));
  });

  test('are read from their files', () => {
    expect([image, video, region].map(mediaPaths)).toEqual([['/a.png'], ['/1.png', '/2.png'], []]);
  });

  test('are told apart by all that they are', () => {
    const all: Media[] = [image, { ...image, change }, { ...image, change: { crop: [0, 0, 1, 0.5] } }, video, region];
    expect(new Set(all.map(mediaKey)).size).toBe(all.length);
  });
});
