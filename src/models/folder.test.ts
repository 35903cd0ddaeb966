import { cpSync, mkdirSync } from 'node:fs';
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
