import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { silentLog } from '../base/index.ts';
import { planBatches } from '../data/index.ts';
import { loadPlan, type StagePlan } from '../recipe/index.ts';
import { foretellMemory } from './memory.ts';
import { buildParts } from './parts.ts';
import { usedByStage } from './prepare.ts';
import { readStage } from './rows.ts';
import { readsSizes, reportUsed, usedSamples, writeUsedImages } from './used.ts';

const before = process.env.TESSERA_CACHE;
process.env.TESSERA_CACHE = scratchFolder().fresh();
afterAll(() => {
  if (before === undefined) delete process.env.TESSERA_CACHE;
  else process.env.TESSERA_CACHE = before;
});
const hooks = { signal: new AbortController().signal, log: silentLog, progress: () => {} };

describe('the samples that steps read', () => {
  it('are those of their batches, and all once an epoch is over', () => {
    const plan = planBatches({ count: 10, batch: 4, seed: 3 });
    expect([...usedSamples(plan, 10, 2)].sort()).toEqual([...plan.at(0), ...plan.at(1)].sort());
    expect(usedSamples(plan, 10, 3).size).toBe(10);
    expect(usedSamples(plan, 10, 50).size).toBe(10);
  });

  it('are drawn before a dry run times its steps', async () => {
    const folder = scratchFolder().path('new');
    const plan = loadPlan('llava', ['stages.align.data.0.scenes=12', 'train.batch=2', `output.folder=${folder}`]);
    const [align] = await foretellMemory({ ...plan, stages: plan.stages.slice(0, 1) }, { resume: false }, hooks);
    expect(align?.time).toBeDefined();
  });

  it('are the rows of a world whose images are drawn, and are told', async () => {
    const overrides = ['stages.align.data.0.scenes=30', 'train.batch=2', 'train.accumulate=2', 'train.steps=3'];
    const plan = loadPlan('llava', overrides);
    const stage = plan.stages[0] as StagePlan;
    const parts = await buildParts(plan, async () => []);
    const data = await readStage(stage, parts, hooks);
    const used = usedByStage(stage, data);
    expect([data.samples.length, used.size]).toEqual([90, 12]);
    const images = join(data.origins[0]?.world as string, 'images');
    expect(readdirSync(images)).toEqual([]);
    await writeUsedImages(data, used, hooks);
    const shown = [...used].flatMap((i) => data.samples[i] ?? []).flatMap(({ media }) => media);
    const names = new Set(shown.map(({ media }) => (media.kind === 'image' ? media.path : '')));
    expect(
      readdirSync(images)
        .map((name) => join(images, name))
        .sort(),
    ).toEqual([...names].sort());
    reportUsed(data.report, data, used);
    expect(data.report.sources).toMatchObject([{ kept: 90, used: 12 }]);
  }, 60_000);
});

describe('a processor', () => {
  const made = { ids: [1], slots: {}, sizes: {}, read: () => ({}) };

  it('reads sizes when its plan asks for them, or when it spells boxes', () => {
    const boxes = { write: () => '', read: () => [] };
    expect(readsSizes({ inputs: {}, plan: () => made })).toBe(false);
    expect(readsSizes({ inputs: {} })).toBe(false);
    expect(readsSizes({ inputs: {}, plan: () => made, boxes })).toBe(true);
    const plan = (_: unknown, sizes: () => unknown) => {
      sizes();
      return made;
    };
    expect(readsSizes({ inputs: {}, plan })).toBe(true);
  });
});
