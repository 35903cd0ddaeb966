import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeLlava } from '../../test/end-to-end/material.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { builtinTemplate, DataReport } from '../data/index.ts';
import { loadAdapter, loadModel, mergeAdapter } from '../models/index.ts';
import type { LoraPlan, StagePlan } from '../recipe/index.ts';
import { loadPlan } from '../recipe/index.ts';
import { finishStage } from './finish.ts';
import { runFolder } from './folder.ts';
import { isFactor, loraOf, withFreshAdapters } from './lora.ts';
import { buildParts } from './parts.ts';

const root = scratchFolder();
const from = root.path('from');
writeLlava(from);

/** Ends a stage of adapters whose weights are all moved, as training would; its run folder. */
async function finish(name: string, index: number) {
  const run = runFolder(root.path(name));
  mkdirSync(run.path);
  const overrides = [`model.from=${from}`, 'stages.tune.data.0.path=rows.json', `output.folder=${run.path}`];
  const plan = loadPlan('llava-1.5-lora', overrides);
  const stage = plan.stages[0] as StagePlan;
  const parts = await buildParts(plan, async () => []);
  const lora = loraOf(stage.lora as LoraPlan, parts.loaded.model, 0);
  const loaded = withFreshAdapters(parts.loaded, lora, 0);
  for (const [path, { data }] of loaded.store.tensors) {
    if (isFactor(path)) for (const i of data.keys()) data[i] = (data[i] as number) + 0.01;
    // What a stage before has moved.
    else if (index > 0 && path.startsWith('multi_modal_projector.')) data.fill(0.25);
  }
  const data = { examples: [], report: new DataReport(), template: builtinTemplate('llava-1.5') };
  const counts = { report: new DataReport(), summaries: [] };
  finishStage({ run, plan, stage, index, parts, loaded, lora, trainable: isFactor, data, ...counts });
  const config = JSON.parse(readFileSync(join(run.adapter, 'adapter_config.json'), 'utf8'));
  return { run, base: config.base_model_name_or_path as string };
}

it.each([
  ['the folder that the recipe starts from', 'first', 0, from],
  ['a copy of what the stages before left', 'later', 1, root.path('later/base')],
])('names as the base of adapters %s', async (_, name, index, expected) => {
  const { run, base } = await finish(name, index);
  expect(base).toBe(expected);
  const loaded = loadModel(base);
  const merged = mergeAdapter(loaded, loadAdapter(run.adapter, loaded));
  expect([...merged.store.tensors]).toEqual([...loadModel(run.model).store.tensors]);
});
