import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { zeros } from '../../src/base/index.ts';
import {
  type Layout,
  loadModel,
  openCheckpoint,
  openSafetensors,
  saveAdapter,
  saveModel,
} from '../../src/models/index.ts';
import { referenceBatch, runCausal } from '../support/causal.ts';
import { fixture, fixtureTensors } from '../support/fixtures.ts';
import { expectGradients, expectLogits, expectLoss } from '../support/parity.ts';
import { scratchFolder } from '../support/scratch-folder.ts';

const { fresh } = scratchFolder();
const cases = readdirSync(fixture('decoders'));
const forms = cases.flatMap((name) => [true, false].map((fusion) => ({ name, fusion })));
/** Without rotation a bias of all keys changes no score. */
const learned = (name: string) => name.startsWith('opt');

describe('decoders of other families against transformers', () => {
  it.each(forms)('$name, fusion $fusion: logits, loss and every gradient', async ({ name, fusion }) => {
    const loaded = loadModel(fixture(`decoders/${name}`));
    const expected = fixtureTensors(`decoders/${name}/expected.safetensors`);
    const got = await runCausal(loaded, referenceBatch(expected), { fusion });
    expectLogits(got.logits, expected.get('logits'));
    expectLoss(got.loss, expected.get('loss'));
    expectGradients(
      got.grads,
      expected,
      (stored) => stored,
      () => learned(name),
    );
    expect(new Set(got.parameters)).toEqual(new Set(loaded.store.tensors.keys()));
  });

  it('opt: is read under the names of the published files, and its adapters are named as in memory', () => {
    const loaded = loadModel(fixture('decoders/opt'));
    const folder = fresh();
    const layout = loaded.model.layouts[1] as Layout;
    saveModel(folder, { ...loaded, layout });
    expect(openCheckpoint(folder).tensors.has('decoder.layers.0.fc1.weight')).toBe(true);
    const again = loadModel(folder);
    expect(again.layout.name).toBe('opt-base');
    expect([...again.store.tensors]).toEqual([...loaded.store.tensors]);
    const module = 'model.decoder.layers.0.fc1';
    const factor = (name: string, shape: number[]) => [`${module}.${name}.weight`, zeros('float32', shape)] as const;
    const tensors = new Map([factor('lora_A', [2, 24]), factor('lora_B', [36, 2])]);
    const lora = { r: 2, alpha: 4, targets: (path: string) => path === module };
    saveAdapter(folder, again, { lora, tensors, baseName: '.' });
    const stored = [...openSafetensors(`${folder}/adapter_model.safetensors`).tensors.keys()];
    expect(stored).toContain(`base_model.model.${module}.lora_A.weight`);
  });

  it.each(cases)('%s: a save has the names and shapes of the file that transformers wrote', (name) => {
    const folder = fresh();
    saveModel(folder, loadModel(fixture(`decoders/${name}`)));
    const layout = (at: string) => [...openCheckpoint(at).tensors].map(([key, { shape }]) => `${key} ${shape}`).sort();
    expect(layout(folder)).toEqual(layout(fixture(`decoders/${name}`)));
    // transformers refuses a whole number where it wants a float.
    const floats = (at: string) => readFileSync(`${at}/config.json`, 'utf8').match(/"\w+": [1-9]\d*\.0\b/g) ?? [];
    expect(floats(folder).sort()).toEqual(floats(fixture(`decoders/${name}`)).sort());
  });
});
