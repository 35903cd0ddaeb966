import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { rejectionOf } from '../../../test/support/faults.ts';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { silentLog } from '../../base/index.ts';
import { readGrid } from '../../recipe/index.ts';
import type { Hooks } from '../types.ts';
import { foretellGrid, runGrid } from './grid.ts';

const root = scratchFolder();
process.env.TESSERA_CACHE = root.path('cache');
afterAll(() => {
  delete process.env.TESSERA_CACHE;
});

const file = {
  bases: {
    llava: { from: 'assets/tabletop-llava' },
    gone: { architecture: 'llava', from: root.path('gone-{seed}') },
  },
  methods: {
    plain: { recipe: 'recipes/alignment/llava-dpo.yaml' },
    dense: { recipe: 'recipes/alignment/rlhf-v.yaml', overrides: ['stages.prefer.loss.gamma=2'] },
  },
  seeds: [3],
  overrides: [
    'feedback.count=8',
    'feedback.data.0.scenes=20',
    'lora.r=2',
    'train.batch=2',
    'train.steps=3',
    'train.lr=1e-3',
  ],
  eval: { tasks: ['chair'], limit: 5 },
  table: { measure: 'chair/all/recall', beside: ['chair/strict/i', 'chair/strict/length'] },
};
const places = [root.path('a/grid'), root.path('b/grid')] as const;
const gridIn = (folder: string, changed: object = {}) => {
  writeFileSync(root.path('grid.yaml'), stringify({ ...file, ...changed }));
  return { ...readGrid(root.path('grid.yaml')), folder };
};
const hooks: Hooks = { signal: new AbortController().signal, log: silentLog, progress: () => {} };

/** Runs a grid until some work has the label. */
async function stoppedAt(label: string) {
  const abort = new AbortController();
  const progress: Hooks['progress'] = (now) => {
    if (now.label.includes(label) && now.done > 0) abort.abort();
  };
  return runGrid(gridIn(places[1]), { ...hooks, signal: abort.signal, progress });
}

const results: Awaited<ReturnType<typeof runGrid>>[] = [];
beforeAll(async () => {
  for (const place of places) mkdirSync(place, { recursive: true });
  results.push(await runGrid(gridIn(places[0]), hooks));
  results.push(await runGrid(gridIn(places[1]), hooks, 1));
  results.push(await stoppedAt('prefer'));
  results.push(await runGrid(gridIn(places[1]), hooks));
}, 600_000);

const read = (place: string, name: string) => readFileSync(join(place, name));

it('has every cell in its table, the failed ones with their reason', () => {
  const [straight] = results;
  expect(straight).toMatchObject({ status: 'done', cells: 4, done: 2, failed: 2 });
  const cells = straight?.table.cells.map(({ base, method, seeds }) => [base, method, seeds.join()]);
  expect(cells).toEqual([
    ['llava', 'plain', '3'],
    ['llava', 'dense', '3'],
    ['gone', 'plain', ''],
    ['gone', 'dense', ''],
  ]);
  const [first, , third] = straight?.table.rows ?? [];
  const changes = first?.changes ?? [];
  expect(changes.map(({ before, after }) => [before, after].every(Number.isFinite))).toEqual([true, true, true]);
  for (const { before, after, relative } of changes.slice(0, 1)) {
    expect(relative.value).toBeCloseTo((after as number) / (before as number) - 1, 9);
  }
  expect(third?.missing).toHaveLength(1);
  expect(third?.missing[0]).toMatch(/^seed 3: .*run\/no-model.*gone-3/);
  const text = `${read(places[0], 'grid.md')}`;
  expect(text).toContain('| gone | dense | not done |');
  expect(text).toContain('- gone, plain: seed 3: ');
  expect(`${read(places[0], 'grid.svg')}`).toMatch(/^<svg xmlns=[\s\S]*not done[\s\S]*<\/svg>\n$/);
});

it('ends with the same bytes, however often it was stopped', () => {
  const [straight, one, stopped, whole] = results;
  expect([one?.status, one?.done, stopped?.status, stopped?.done]).toEqual(['interrupted', 1, 'interrupted', 1]);
  expect(whole).toMatchObject({ status: 'done', done: 2, failed: 2 });
  expect(one?.table.cells[1]?.missing).toEqual(['seed 3: not run yet']);
  expect(whole?.table).toEqual(straight?.table);
  const same = ['grid.json', 'grid.md', 'grid.svg'];
  for (const method of ['plain', 'dense']) {
    same.push(`cells/llava/${method}/3/run/model/model.safetensors`, `cells/llava/${method}/3/eval/predictions.jsonl`);
  }
  for (const name of same) expect(read(places[1], name).equals(read(places[0], name)), name).toBe(true);
});

it('makes the pairs of a base and seed once for methods that make them alike', () => {
  expect(readdirSync(join(places[0], 'pairs/llava'))).toEqual(['3']);
  expect(readdirSync(join(places[0], 'pairs/llava/3'))).toEqual([expect.stringMatching(/^corrected-spans-/)]);
});

it('foretells what is left by what is done', () => {
  const outlook = foretellGrid(gridIn(places[0], { seeds: [3, 4] }));
  expect(outlook.map(({ status }) => status)).toEqual([
    'done',
    'done',
    'failed',
    'failed',
    'open',
    'open',
    'open',
    'open',
  ]);
  expect(outlook[4]?.seconds).toBe(outlook[0]?.seconds);
  expect(outlook[6]?.seconds).toBeGreaterThan(0);
  expect(foretellGrid(gridIn(root.path('new')))[0]).toEqual({
    base: 'llava',
    method: 'plain',
    seed: 3,
    status: 'open',
  });
});

it('goes on in no folder whose cells were made otherwise, and shows no score that a task lacks', async () => {
  const other = gridIn(places[0], { eval: { tasks: ['chair'], limit: 6 } });
  expect((await rejectionOf(runGrid(other, hooks))).code).toBe('grid/other-settings');
  const unknown = gridIn(places[0], { table: { measure: 'chair/strict/grace' } });
  expect((await rejectionOf(runGrid(unknown, hooks))).code).toBe('eval/no-measure');
});
