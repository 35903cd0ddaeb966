import { describe, expect, test } from 'vitest';
import { imagesOf } from './media.ts';
import type { Media, Part, Row } from './row.ts';

const image: Media = { kind: 'image', path: '/a.png' };
const rowOf = (media: readonly Media[], ...parts: readonly Part[]): Row => ({
  id: 'r',
  where: 'rows.json row 1',
  media,
  turns: [
    { role: 'user', parts },
    { role: 'assistant', parts: [{ type: 'text', text: 'yes' }] },
  ],
});
const shown: Part = { type: 'media', media: 0 };

describe('imagesOf', () => {
  test('gives the images of a row, each with its change', () => {
    const cut: Media = { ...image, change: 'crop' };
    expect(imagesOf(rowOf([image, cut], shown))).toEqual([image, cut]);
  });

  test.each<[string, Row, string]>([
    ['videos', rowOf([{ kind: 'video', frames: ['/1.png', '/2.png'] }], shown), 'medium 1 of 1 is a video'],
    [
      'regions',
      rowOf([image, { kind: 'region', of: 0, region: { box: [0, 0, 8, 8] } }], shown),
      'medium 2 of 2 is a region',
    ],
    ['boxes', rowOf([image], shown, { type: 'boxes', of: 0, boxes: [[0, 0, 8, 8]] }), 'boxes in turn 1'],
  ])('refuses %s by their name', (what, row, got) => {
    expect(() => imagesOf(row)).toThrow(
      expect.objectContaining({ code: 'row/media', message: `the system takes no ${what}`, got }),
    );
  });
});
