import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeLlava } from '../../test/end-to-end/material.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { builtinTemplate, DataReport } from '../data/index.ts';
import { loadAdapter, loadModel, mergeAdapter } from '../models/index.ts';
import { isLoraPart } from '../nn/index.ts';
import type { StagePlan } from '../recipe/index.ts';
import { loadPlan } from '../recipe/index.ts';
import { finishStage } from './finish.ts';
import { runFolder } from './folder.ts';
import { adaptersOf } from './lora.ts';
import { buildParts } from './parts.ts';

const root = scratchFolder();
const from = root.path('from');
writeLlava(from);

/** Ends a stage of adapters, moved as training would; its run folder. */
async function finish(
  name: string,
  index: number,
  more: readonly string[] = [],
  by = 0.01,
  template = builtinTemplate('llava-1.5'),
) {
  const run = runFolder(root.path(name));
  mkdirSync(run.path);
  const overrides = [`model.from=${from}`, 'stages.tune.data.0.path=rows.json', `output.folder=${run.path}`, ...more];
  const plan = loadPlan('llava-1.5-lora', overrides);
  const stage = plan.stages[0] as StagePlan;
  const parts = await buildParts(plan, async () => []);
  const { loaded, lora, held } = adaptersOf(stage, index, parts);
  for (const [path, { data }] of loaded.store.tensors) {
    if (isLoraPart(path)) for (const i of data.keys()) data[i] = (data[i] as number) + by;
    // What a stage before has moved.
    else if (index > 0 && path.startsWith('multi_modal_projector.')) data.fill(0.25);
  }
  const counts = { report: new DataReport(), summaries: [] };
  const trainable = (path: string) => isLoraPart(path) || held(path);
  finishStage({ run, plan, stage, index, parts, loaded, lora, trainable, data: { template }, ...counts });
  const config = JSON.parse(readFileSync(join(run.adapter, 'adapter_config.json'), 'utf8'));
  return { run, base: config.base_model_name_or_path as string };
}

it.each([
  ['the folder that the recipe starts from', 'first', 0, '../../from'],
  ['a copy of what the stages before left', 'later', 1, '../base'],
])('names as the base of adapters %s', async (_, name, index, expected) => {
  const { run, base } = await finish(name, index);
  expect(base).toBe(expected);
  const loaded = loadModel(join(run.adapter, base));
  const merged = mergeAdapter(loaded, loadAdapter(run.adapter, loaded));
  expect([...merged.store.tensors]).toEqual([...loadModel(run.model).store.tensors]);
});

it('leaves the model its own prompt after a stage of captions', async () => {
  const prompt = (run: { readonly model: string }) => readFileSync(join(run.model, 'chat_template.jinja'), 'utf8');
  const captions = await finish('captions', 0, [], 0, builtinTemplate('plain'));
  expect(prompt(captions.run)).toBe(readFileSync(join(from, 'chat_template.jinja'), 'utf8'));
  const talk = await finish('talk', 0, [], 0, builtinTemplate('llava-v0'));
  expect(prompt(talk.run)).toBe(builtinTemplate('llava-v0').source);
});

describe('a run that goes on from an adapter', () => {
  const adapter = join(root.path('start'), 'adapter');
  const file = (folder: string) => readFileSync(join(folder, 'adapter_model.safetensors'));

  it('ends with that adapter where nothing was learned, and names the same base', async () => {
    const start = await finish('start', 0);
    const again = await finish('again', 0, [`model.adapter=${adapter}`], 0);
    expect(file(again.run.adapter)).toEqual(file(start.run.adapter));
    expect(again.base).toBe(start.base);
    expect([...loadModel(again.run.model).store.tensors]).toEqual([...loadModel(start.run.model).store.tensors]);
  });

  it('moves the factors that it found', async () => {
    const { run } = await finish('moved', 0, [`model.adapter=${adapter}`], 0.5);
    expect(file(run.adapter)).not.toEqual(file(adapter));
  });

  it('refuses another rank, with the settings that fit', async () => {
    await expect(finish('other', 0, [`model.adapter=${adapter}`, 'lora.r=2'])).rejects.toMatchObject({
      code: 'recipe/adapter',
      expected: expect.stringMatching(/^lora\.r=\d+ lora\.alpha=\d+$/),
    });
  });
});
