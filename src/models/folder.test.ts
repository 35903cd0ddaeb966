import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { referenceBatch, runCausal } from '../../test/support/causal.ts';
import { maxRelative } from '../../test/support/compare.ts';
import { fixture, fixtureTensors, numbers } from '../../test/support/fixtures.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { modelPlace, openModel, readJsonObject, sideFolder, writeJsonObject } from './index.ts';

const scratch = scratchFolder();
const base = fixture('decoder/gqa');
const adapter = fixture('lora/rslora');

function folderOf(...sources: readonly string[]): string {
  const folder = scratch.fresh();
  mkdirSync(folder, { recursive: true });
  for (const source of sources) cpSync(source, folder, { recursive: true });
  return folder;
}

describe('the folders of a model', () => {
  const beside = folderOf(base, adapter);

  it.each([
    ['a base and an adapter', base, adapter],
    ['an adapter that names its base by a path from its folder', adapter, undefined],
    ['a base with the adapter beside its weights', beside, undefined],
  ])('%s give what PEFT computes', async (_, where, given) => {
    const expected = fixtureTensors('lora/rslora/expected.safetensors');
    const { logits } = await runCausal(openModel(modelPlace(where, given)), referenceBatch(expected));
    expect(maxRelative(logits, numbers(expected.get('merged_logits')))).toBeLessThan(1e-5);
  });

  it('are the base alone without an adapter', () => {
    expect(modelPlace(base)).toEqual({ folder: base, adapter: undefined });
  });

  it('hold the adapter that a run folder has trained, and name one that lies deeper', () => {
    const run = join(folderOf(base), 'run');
    cpSync(adapter, join(run, 'adapter'), { recursive: true });
    expect(modelPlace(base, run)).toEqual({ folder: base, adapter: join(run, 'adapter') });
    const trained = folderOf();
    for (const step of [90, 1000, 500]) cpSync(adapter, join(trained, `checkpoint-${step}`), { recursive: true });
    expect(() => modelPlace(base, trained)).toThrow(
      expect.objectContaining({
        code: 'model/no-adapter',
        remedy: `name one of the folders in it, such as ${join(trained, 'checkpoint-1000')}`,
      }),
    );
    const unfinished = folderOf();
    writeFileSync(join(unfinished, 'recipe.yaml'), '');
    expect(() => modelPlace(base, unfinished)).toThrow(
      expect.objectContaining({ remedy: expect.stringContaining(`tessera resume ${unfinished}`) }),
    );
  });

  it('give what comes with an adapter before what its base has', () => {
    const place = modelPlace(base, adapter);
    expect(sideFolder(place, 'adapter_config.json')).toBe(adapter);
    expect(sideFolder(place, 'config.json')).toBe(base);
  });

  it('of an adapter whose base is elsewhere are refused by the name of the base', () => {
    const alone = folderOf(adapter);
    const config = readJsonObject(join(alone, 'adapter_config.json'));
    writeJsonObject(join(alone, 'adapter_config.json'), { ...config, base_model_name_or_path: 'someone/llama-7b' });
    expect(() => modelPlace(alone)).toThrow(
      expect.objectContaining({
        code: 'model/adapter-alone',
        expected: 'the model someone/llama-7b',
        remedy: expect.stringContaining(`--adapter ${alone}`),
      }),
    );
    expect(modelPlace(base, alone)).toEqual({ folder: base, adapter: alone });
  });

  it.each([
    ['model/two-adapters', beside, adapter],
    ['model/no-adapter', base, base],
    ['model/no-adapter', base, join(base, 'nowhere')],
    ['run/no-model', join(base, 'nowhere'), undefined],
  ])('%s', (code, where, given) => {
    expect(() => modelPlace(where, given)).toThrow(expect.objectContaining({ code }));
  });
});
