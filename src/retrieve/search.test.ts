import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { rejectionOf } from '../../test/support/faults.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import type { Fault } from '../base/index.ts';
import { imagesIn } from './images.ts';
import type { Pair, Retriever } from './retriever.ts';
import { search } from './search.ts';

/** Three images and three texts; image `gone` cannot be read. */
const images = ['a', 'b', 'gone'];
const texts = ['x', 'y', 'z'];
const cosines = [0.9, 0.1, 0.5, 0.8, 0.1, 0.6, 0, 0, 0];
/** Logits of yes, which disagree with the cosines on the first text. */
const logits = [-1, 2, 0, 3, 1, 0];

function retriever(matches: boolean, asked: Pair[] = [], unread: ReadonlyMap<number, Fault> = goneOnly): Retriever {
  return {
    matches,
    textFaults: () => new Map(),
    similarities: async () => ({ values: Float32Array.from(cosines), unread }),
    match: async (_images, _texts, pairs) => {
      asked.push(...pairs);
      return pairs.map(([i, t]) => {
        const logit = logits[i * 3 + t] as number;
        return { logit, probability: 1 / (1 + Math.exp(-logit)) };
      });
    },
    close: async () => {},
  };
}

const goneOnly = new Map([[2, { code: 'image/corrupt', message: 'no image', path: 'gone' }]]);
const places = (list: readonly { readonly at: number }[] | undefined) => list?.map(({ at }) => at);

describe('a search', () => {
  it('ranks both ways by contrast, the first of like ones first, and leaves out what cannot be read', async () => {
    const { ofTexts, ofImages, unread } = await search(retriever(false), images, texts);
    expect(ofTexts.map(({ contrast }) => places(contrast))).toEqual([
      [0, 1],
      [0, 1],
      [1, 0],
    ]);
    expect(ofImages.map(({ contrast }) => places(contrast))).toEqual([[0, 2, 1], [0, 2, 1], []]);
    expect(ofTexts.every(({ rematched }) => rematched === undefined)).toBe(true);
    expect([...unread.keys()]).toEqual([2]);
  });

  it('is ranked again by the logit of yes and the cosine together', async () => {
    const { ofTexts, ofImages } = await search(retriever(true), images, texts);
    expect(places(ofTexts[0]?.contrast)).toEqual([0, 1]);
    expect(places(ofTexts[0]?.rematched)).toEqual([1, 0]);
    expect(ofTexts[0]?.rematched?.[0]).toMatchObject({ rank: 2, match: 1 / (1 + Math.exp(-3)) });
    // -1 + 0.9, 2 + 0.1 and 0 + 0.5.
    expect(places(ofImages[0]?.rematched)).toEqual([1, 2, 0]);
  });

  it('looks at the pairs of a shortlist alone, each once, and keeps as many as asked for', async () => {
    const asked: Pair[] = [];
    const { ofTexts } = await search(retriever(true, asked), images, texts, {
      towards: 'images',
      keep: 1,
      shortlist: 1,
    });
    expect(asked).toEqual([
      [0, 0],
      [0, 1],
      [1, 2],
    ]);
    expect(places(ofTexts[0]?.rematched)).toEqual([0]);
    const both: Pair[] = [];
    await search(retriever(true, both), images, texts);
    expect(both).toHaveLength(6);
    const none: Pair[] = [];
    const plain = await search(retriever(true, none), images, texts, { shortlist: 0 });
    expect([none.length, plain.ofTexts[0]?.rematched]).toEqual([0, undefined]);
  });

  it('of images that are none is refused', async () => {
    const all = new Map([0, 1, 2].map((i) => [i, { code: 'image/corrupt', message: 'no image', path: `${i}` }]));
    const fault = await rejectionOf(search(retriever(false, [], all), images, texts));
    expect(fault).toMatchObject({ code: 'retrieve/unreadable', got: expect.stringContaining('3 files') });
  });
});

describe('the images of a folder', () => {
  const { fresh } = scratchFolder();

  it('are found by their endings, also below it, in the order of names', () => {
    const folder = fresh();
    mkdirSync(join(folder, 'deep'));
    for (const name of ['b.PNG', 'deep/c.jpeg', 'a.webp', 'notes.txt']) writeFileSync(join(folder, name), '');
    expect(imagesIn(folder)).toEqual(['a.webp', 'b.PNG', 'deep/c.jpeg'].map((name) => join(folder, name)));
  });

  it('are found in linked folders too, each once, a loop or not', () => {
    const [folder, elsewhere] = [fresh(), fresh()];
    mkdirSync(join(folder, 'z'));
    mkdirSync(join(elsewhere, 'deep'), { recursive: true });
    for (const path of [join(folder, 'z/own.png'), join(elsewhere, 'a.png'), join(elsewhere, 'deep/b.jpg')]) {
      writeFileSync(path, '');
    }
    symlinkSync(elsewhere, join(folder, 'linked'));
    symlinkSync(folder, join(elsewhere, 'deep/back'));
    symlinkSync(join(folder, 'z'), join(folder, 'again'));
    symlinkSync(join(folder, 'nowhere'), join(folder, 'broken.png'));
    symlinkSync(elsewhere, join(folder, 'z/linked.png'));
    expect(imagesIn(folder)).toEqual(
      ['broken.png', 'linked/a.png', 'linked/deep/b.jpg', 'z/own.png'].map((name) => join(folder, name)),
    );
  });

  it('that is not there, or holds none, are refused', () => {
    const folder = fresh();
    expect(() => imagesIn(folder)).toThrow(expect.objectContaining({ code: 'retrieve/no-images' }));
    const missing = { code: 'retrieve/folder', message: 'there is no such folder of images', got: 'nothing' };
    expect(() => imagesIn(join(folder, 'none'))).toThrow(expect.objectContaining(missing));
    writeFileSync(join(folder, 'one.png'), '');
    const file = { code: 'retrieve/folder', got: 'a file' };
    expect(() => imagesIn(join(folder, 'one.png'))).toThrow(expect.objectContaining(file));
  });
});
