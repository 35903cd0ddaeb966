import { describe, expect, it } from 'vitest';
import { attachAdapter, loadAdapter, loadModel, mergeAdapter, peftTargets } from '../../src/models/index.ts';
import { fromFileName } from '../../src/models/weights/layouts.ts';
import { referenceBatch, runCausal } from '../support/causal.ts';
import { fixture, fixtureTensors } from '../support/fixtures.ts';
import { expectGradients, expectLogits, expectLoss } from '../support/parity.ts';
import { numbersOf } from '../support/stages.ts';

const cases = [
  { name: 'llama-qv', base: 'decoder/gqa' },
  { name: 'qwen2-all-linear', base: 'decoder/qwen2' },
  { name: 'llava-lm', base: 'llava/v1.5' },
  { name: 'llava-projector', base: 'llava/v1.5-multi' },
];

function open({ name, base: folder }: (typeof cases)[number]) {
  const base = loadModel(fixture(folder));
  const loaded = loadAdapter(fixture(`lora/${name}`), base);
  const expected = fixtureTensors(`lora/${name}/expected.safetensors`);
  const picture = base.model.kind === 'causal' ? base.model.picture : undefined;
  return { base, loaded, expected, batch: referenceBatch(expected, picture?.tokenId) };
}

/** Whether a parameter belongs to the adapter: a factor, or a part of a module that is saved whole. */
function adapted(path: string, saved: readonly string[]): boolean {
  return path.includes('.lora_') || saved.some((module) => path.startsWith(`${module}.`));
}

describe('PEFT adapters', () => {
  it.each(cases)('$name: logits, loss and the gradients of what is trained', async (c) => {
    const { base, loaded, expected, batch } = open(c);
    const got = await runCausal(attachAdapter(base, loaded), batch, { lora: loaded.lora });
    expectLogits(got.logits, expected.get('logits'));
    expectLoss(got.loss, expected.get('loss'));
    const saved = loaded.adapter.config.modulesToSave;
    expectGradients(new Map([...got.grads].filter(([path]) => adapted(path, saved))), expected, (stored) => {
      const name = stored.replace('base_model.model.', '');
      return fromFileName(loaded.layout, name) ?? name;
    });
  });

  it.each(cases)('$name: merged weights give the same logits', async (c) => {
    const { base, loaded, expected, batch } = open(c);
    const before = numbersOf(base.store);
    const merged = mergeAdapter(base, loaded);
    expect([...merged.store.tensors.keys()]).toEqual([...base.store.tensors.keys()]);
    expectLogits((await runCausal(merged, batch)).logits, expected.get('merged_logits'));
    expect(numbersOf(base.store), 'the base stays as it is').toEqual(before);
  });

  it.each(cases)('$name: target_modules mean the layers that PEFT adapted', async (c) => {
    const { base, loaded } = open(c);
    const targets = peftTargets(loaded.adapter.config.targets, loaded.layout);
    const modules = [...base.store.specs.keys()].map((path) => path.replace(/\.[^.]*$/, ''));
    const chosen = new Set(modules.filter(targets));
    const factors = [...loaded.adapter.tensors.keys()].filter((path) => path.endsWith('.lora_A.weight'));
    expect([...chosen].sort()).toEqual(factors.map((path) => path.replace('.lora_A.weight', '')).sort());
  });

  it('all-linear takes every linear layer but the head', () => {
    const { base, loaded } = open(cases[1] as (typeof cases)[number]);
    const targets = peftTargets('all-linear', loaded.layout);
    expect(targets('model.layers.0.mlp.up_proj')).toBe(true);
    expect(targets('lm_head')).toBe(false);
    expect(base.store.specs.has('lm_head.weight')).toBe(true);
  });
});
