import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { silentLog } from '../base/index.ts';
import { loadPlan } from '../recipe/index.ts';
import { makePairs } from './feedback.ts';
import { trainPlan } from './train.ts';

const root = scratchFolder();
process.env.TESSERA_CACHE = root.path('cache');
afterAll(() => {
  delete process.env.TESSERA_CACHE;
});

const hooks = { signal: new AbortController().signal, log: silentLog, progress: () => {} };

/** What a recipe logs of its first steps, from its own pairs on. */
async function firstSteps(name: string, batch: number) {
  const pairs = root.path(`${name}-pairs`);
  const plan = loadPlan(`recipes/alignment/${name}.yaml`, [
    'model.from=assets/tabletop-llava',
    'feedback.count=16',
    'feedback.data.0.scenes=20',
    `feedback.folder=${pairs}`,
    `stages.prefer.data.0.path=${join(pairs, 'pairs.jsonl')}`,
    `output.folder=${root.path(name)}`,
    'lora.r=4',
    `train.batch=${batch}`,
    'train.steps=3',
    'train.log_every=1',
  ]);
  await makePairs(plan, hooks);
  const silent = { ...plan, eval: { ...plan.eval, tasks: [] } };
  expect((await trainPlan(silent, { resume: false }, hooks)).status).toBe('done');
  const lines = readFileSync(join(root.path(name), 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => JSON.parse(line)).filter(({ loss }) => loss !== undefined);
}

it.each([
  ['llava-dpo', Math.LN2],
  ['mdpo', 3 * Math.LN2],
])(
  '%s goes from questions to a result, and begins where policy and reference are one',
  async (name, loss) => {
    const [first, , third] = await firstSteps(name, 4);
    expect(first.loss).toBeCloseTo(loss, 5);
    expect(first.metrics).toMatchObject({ reward_margin: 0, kl: 0 });
    expect(first.grad_norm).toBeGreaterThan(0);
    expect(third.metrics.kl).toBeGreaterThan(0);
  },
  300_000,
);

it('halva goes from questions to a result, and its tether begins at nothing', async () => {
  const [first, , third] = await firstSteps('halva', 2);
  expect(first.metrics.kl).toBeCloseTo(0, 6);
  expect(first.metrics.align).toBeGreaterThan(0.1);
  expect(first.loss).toBeCloseTo(first.metrics.align + 0.4 * first.metrics.kl, 6);
  expect(third.metrics.kl).toBeGreaterThan(0);
}, 300_000);
