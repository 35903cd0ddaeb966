import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { silentLog } from '../base/index.ts';
import { DataReport } from '../data/index.ts';
import { sourceRows } from './rows.ts';
import { cachedWorld } from './world-cache.ts';

const before = process.env.TESSERA_CACHE;
const cache = scratchFolder().fresh();
process.env.TESSERA_CACHE = cache;
afterAll(() => {
  if (before === undefined) delete process.env.TESSERA_CACHE;
  else process.env.TESSERA_CACHE = before;
});

/** Writes a world of 300 scenes and wants no more after so many calls of progress. */
async function write(calls: number) {
  const stop = new AbortController();
  const seen: number[] = [];
  const progress = ({ done }: { done: number }) => {
    seen.push(done);
    if (seen.length === calls) stop.abort();
  };
  const request = { seed: 0, split: 'train', count: 300, tasks: ['corpus', 'vqa'] } as const;
  const written = cachedWorld(request, { signal: stop.signal, log: silentLog, progress });
  await expect(written).rejects.toMatchObject({ code: 'data/stopped' });
  return seen;
}

it('stops writing a world after the batch of images at hand, and leaves nothing of it', async () => {
  expect(await write(1)).toEqual([64]);
  expect(readdirSync(cache)).toEqual([]);
});

it('stops between the files that follow the images', async () => {
  const seen = await write(6);
  expect(seen.filter((done) => done === 300)).toHaveLength(2);
  expect(readdirSync(cache)).toEqual([]);
});

it('writes about scenes of as many objects as a recipe says', async () => {
  const hooks = { signal: new AbortController().signal, log: silentLog, progress: () => {} };
  const data = { source: 'tabletop', task: 'corpus', scenes: 40 } as const;
  const { file } = await sourceRows({ ...data, objects: [2, 3] }, { views: ['row'] }, new DataReport(), hooks);
  const lines = readFileSync(join(dirname(file), 'scenes.jsonl'), 'utf8')
    .trim()
    .split('\n');
  const numbers = lines.map((line) => (JSON.parse(line) as { objects: unknown[] }).objects.length);
  expect(numbers).toHaveLength(40);
  expect([...new Set(numbers)].sort()).toEqual([2, 3]);
});
