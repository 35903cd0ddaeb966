import { describe, expect, it } from 'vitest';
import { dataFiles } from '../../../test/support/data-files.ts';
import { faultOf } from '../../../test/support/faults.ts';

const { image, read, refusals, shown } = dataFiles('a.jpg', 'b.jpg');

describe('COCO captions', () => {
  const coco = {
    info: { year: 2014 },
    annotations: [
      { id: 11, image_id: 1, caption: 'A cat.\n' },
      { id: 12, image_id: 1, caption: 'The cat.' },
      { id: 13, image_id: 2, caption: 'A dog.' },
    ],
    images: [
      { id: 1, file_name: 'a.jpg', height: 4, width: 3 },
      { id: 2, file_name: 'b.jpg' },
    ],
  };

  it('are one row each, whatever the order in the file', () => {
    const { rows, format } = read('captions.json', coco);
    expect(format).toBe('coco-captions');
    expect(rows.map((row) => [row.id, row.media[0], row.turns[1]?.parts[0]])).toEqual([
      ['11', image('a.jpg'), { type: 'text', text: 'A cat.' }],
      ['12', image('a.jpg'), { type: 'text', text: 'The cat.' }],
      ['13', image('b.jpg'), { type: 'text', text: 'A dog.' }],
    ]);
    expect(rows[0]?.turns[0]).toEqual({ role: 'user', parts: [{ type: 'media', media: 0 }] });
  });

  it('refuses captions without text or image, and files with doubled images', () => {
    const annotations = [
      { id: 1, image_id: 9, caption: 'A cat.' },
      { id: 2, image_id: 1, caption: ' ' },
      { id: 3, image_id: 1 },
    ];
    expect(
      shown(refusals('captions.json', { ...coco, annotations }, { format: 'coco-captions' })),
    ).toMatchInlineSnapshot(`
      "the caption is about an image that the file does not list [row/unknown-image]
        path:     captions.json annotation 1
        expected: one of the 2 ids under images
        got:      9
      the caption is empty [row/empty-turn]
        path:     captions.json annotation 2
      caption is missing [row/schema]
        path:     captions.json annotation 3
        expected: string"
    `);
    const doubled = { ...coco, images: [coco.images[0], coco.images[0]] };
    expect(faultOf(() => read('captions.json', doubled))).toMatchObject({
      code: 'data/duplicate-image',
      got: '1: a.jpg and a.jpg',
    });
  });

  it('refuses what it does not read of captions and images, and passes over what COCO itself writes', () => {
    const [first, second] = coco.images;
    const own = { license: 3, coco_url: 'http://example.org/a.jpg', flickr_url: 'http://example.org/b.jpg' };
    const unread = (more: object, onImage: object = {}) =>
      refusals('captions.json', {
        annotations: [{ ...coco.annotations[0], ...more }, coco.annotations[2]],
        images: [{ ...first, ...own, ...onImage }, second],
      }).map(({ code, path }) => [code, path]);
    expect(unread({ area: 12, iscrowd: 0, segmentation: [] })).toEqual([]);
    for (const more of [{ bbox: [1, 2, 3, 4] }, { weight: 0 }, { ignore: 1 }, { image_path: 'b.jpg' }]) {
      expect(unread(more)).toEqual([['row/unread', 'captions.json annotation 1']]);
    }
    expect(unread({}, { skip: true })).toEqual([['row/unread', 'captions.json image 1']]);
  });
});
