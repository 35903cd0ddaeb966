import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import type { Scene } from '../scene.ts';
import { imageName } from './coco.ts';
import { readScenes } from './read-world.ts';
import { writeWorld } from './write-world.ts';

interface NewWordRow {
  readonly id: string;
  readonly image: readonly string[];
  readonly conversations: readonly { readonly from: string; readonly value: string }[];
}

const { path } = scratchFolder();
const scenes = new Map<string, Scene>();
let rows: NewWordRow[];
const read = (name: string) => JSON.parse(readFileSync(join(path(name), 'new_words.json'), 'utf8')) as NewWordRow[];

beforeAll(async () => {
  await writeWorld(path('val'), { seed: 3, split: 'val', count: 300, tasks: ['new-words'] });
  await writeWorld(path('train'), {
    seed: 3,
    split: 'train',
    count: 300,
    tasks: ['new-words'],
    scene: { objects: [1, 1] },
  });
  for (const scene of await readScenes(path('val'))) scenes.set(imageName(scene), scene);
  rows = read('val');
}, 60_000);

const kindsOf = (name: string) => new Set(scenes.get(name)?.objects.map(({ color, shape }) => `${color} ${shape}`));
const answers = ({ conversations }: NewWordRow) =>
  conversations.filter(({ from }) => from === 'gpt').map(({ value }) => value);

it('names eight images by two words, even in the last two, four and eight, and asks about a ninth', () => {
  expect(rows.length).toBeGreaterThan(150);
  for (const row of rows) {
    expect(row.image).toHaveLength(9);
    expect(new Set(row.image).size).toBe(9);
    expect(row.image[8]).toBe(`${row.id.slice(0, 12)}.png`);
    const said = answers(row);
    expect(said).toHaveLength(9);
    for (const count of [2, 4, 8]) {
      const last = said.slice(-count - 1, -1);
      expect(last.filter((word) => word === said[8])).toHaveLength(count / 2);
    }
    for (const { from, value } of row.conversations) {
      if (from === 'human') expect(value).toMatch(/^<image>\nIs there a \w+ or a \w+ in the image\?$/);
    }
  }
});

it('has a thing for each word, of one colour and shape, in its own images and in none of the other', () => {
  for (const row of rows) {
    const said = answers(row);
    for (const word of new Set(said)) {
      const own = row.image.filter((_, i) => said[i] === word).map(kindsOf);
      const others = row.image.filter((_, i) => said[i] !== word).map(kindsOf);
      const shared = [...(own[0] ?? [])].filter((kind) => own.every((kinds) => kinds.has(kind)));
      expect(shared.filter((kind) => others.every((kinds) => !kinds.has(kind))).length).toBeGreaterThan(0);
    }
  }
});

it('asks for either word as often as for the other, and trains on words that no other split has', () => {
  const first = rows.filter((row) => row.conversations[0]?.value.includes(`a ${answers(row)[8]} or`)).length;
  expect(first / rows.length).toBeGreaterThan(0.4);
  expect(first / rows.length).toBeLessThan(0.6);
  const words = (list: readonly NewWordRow[]) => new Set(list.flatMap(answers));
  const trained = words(read('train'));
  expect(trained.size).toBeGreaterThan(8);
  expect([...words(rows)].filter((word) => trained.has(word))).toEqual([]);
});
