import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { readRows } from '../../data/index.ts';
import { parseClaims } from '../language/parse-claims.ts';
import type { Scene } from '../scene.ts';
import type { LlavaRow } from './llava.ts';
import { readScenes } from './read-world.ts';
import { writeWorld } from './write-world.ts';

const { path } = scratchFolder();
const count = 300;
let rows: LlavaRow[];
let scenes: readonly Scene[];

beforeAll(async () => {
  await writeWorld(path('val'), { seed: 3, split: 'val', count, tasks: ['drawing'] });
  scenes = await readScenes(path('val'));
  rows = JSON.parse(readFileSync(join(path('val'), 'drawing.json'), 'utf8'));
}, 60_000);

it('asks for every object of a scene by colour and shape, and nothing else', () => {
  const sorted = (names: readonly string[]) => [...names].sort();
  for (const [i, { conversations }] of rows.entries()) {
    const { mentions } = parseClaims(conversations[0]?.value as string);
    const named = mentions.flatMap(({ of, number }) => Array<string>(number).fill(`${of.color} ${of.shape}`));
    expect(sorted(named)).toEqual(sorted((scenes[i] as Scene).objects.map(({ color, shape }) => `${color} ${shape}`)));
  }
  const asked = rows.map(({ conversations }) => conversations[0]?.value as string);
  expect(asked.filter((text) => / to the (left|right) of | above | below /.test(text)).length).toBeGreaterThan(5);
  expect(asked.filter((text) => text.includes(' table')).length / count).toBeCloseTo(0.5, 0);
});

it('is answered by the image, and one in three rows goes on with questions; the reader of LLaVA reads them all', () => {
  for (const { conversations } of rows) {
    expect(conversations[1]).toEqual({ from: 'gpt', value: '<image>' });
    expect([2, 4, 6]).toContain(conversations.length);
  }
  const longer = rows.filter(({ conversations }) => conversations.length > 2).length / count;
  expect(longer).toBeGreaterThan(0.25);
  expect(longer).toBeLessThan(0.42);
  const { rows: read, report } = readRows(join(path('val'), 'drawing.json'), { images: join(path('val'), 'images') });
  expect([read.length, report.rejected]).toEqual([count, 0]);
  expect(read[0]?.turns[1]).toMatchObject({ role: 'assistant', parts: [{ type: 'media', media: 0 }] });
});
