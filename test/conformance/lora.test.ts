import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/base/index.ts';
import {
  attachAdapter,
  loadAdapter,
  loadModel,
  mergeAdapter,
  peftTargets,
  saveAdapter,
} from '../../src/models/index.ts';
import { fromFileName } from '../../src/models/weights/layouts.ts';
import { referenceBatch, runCausal } from '../support/causal.ts';
import { maxRelative } from '../support/compare.ts';
import { fixture, fixtureTensors, numbers } from '../support/fixtures.ts';
import { expectGradients, expectLoss } from '../support/parity.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { numbersOf } from '../support/stages.ts';

const cases = [
  { name: 'llama-qv', base: 'decoder/gqa' },
  { name: 'qwen2-all-linear', base: 'decoder/qwen2' },
  { name: 'llava-lm', base: 'llava/v1.5' },
  { name: 'llava-projector', base: 'llava/v1.5-multi' },
  { name: 'rslora', base: 'decoder/gqa' },
  { name: 'dora', base: 'decoder/qwen2' },
  { name: 'patterns', base: 'decoder/gqa' },
  { name: 'bias-all', base: 'decoder/qwen2' },
  { name: 'bias-lora-only', base: 'decoder/qwen2' },
  { name: 'chosen-layers', base: 'decoder/gqa' },
  { name: 'chosen-pattern', base: 'decoder/gqa' },
  { name: 'v1-projector', base: 'llava/v1-two-layers' },
  { name: 'v1-two-layers', base: 'llava/v1-two-layers' },
];
/** Those whose targets alone say which layers have factors. */
const byTargets = cases.filter(({ name }) => !name.startsWith('chosen') && name !== 'v1-two-layers');

/** Of the largest logit that PEFT computes, attached and merged. */
const TOLERANCE = 1e-5;

const { fresh } = scratchFolder();

function open({ name, base: folder }: (typeof cases)[number]) {
  const base = loadModel(fixture(folder));
  const loaded = loadAdapter(fixture(`lora/${name}`), base);
  const expected = fixtureTensors(`lora/${name}/expected.safetensors`);
  return { base, loaded, expected, batch: referenceBatch(expected, base.model.image?.tokenId) };
}

function expectClose(got: readonly number[], expected: Tensor | undefined): void {
  expect(maxRelative(got, numbers(expected))).toBeLessThan(TOLERANCE);
}

describe('PEFT adapters', () => {
  it.each(cases)('$name: logits, loss and the gradients of what is trained', async (c) => {
    const { base, loaded, expected, batch } = open(c);
    const got = await runCausal(attachAdapter(base, loaded), batch, { lora: loaded.lora });
    expectClose(got.logits, expected.get('logits'));
    expectLoss(got.loss, expected.get('loss'));
    const { tensors } = loaded.adapter;
    const rename = (stored: string) => {
      const name = stored.replace('base_model.model.', '').replace('.base_layer.bias', '.bias');
      return fromFileName(loaded.layout, name) ?? name;
    };
    // What the adapter leaves out, an identity, has a gradient there.
    const own = [...expected].filter(([name]) => !name.startsWith('grad.') || tensors.has(rename(name.slice(5))));
    expectGradients(new Map([...got.grads].filter(([path]) => tensors.has(path))), new Map(own), rename);
  });

  it.each(cases)('$name: merged weights give the same logits', async (c) => {
    const { base, loaded, expected, batch } = open(c);
    const before = numbersOf(base.store);
    const merged = mergeAdapter(base, loaded);
    const added =
      c.name === 'v1-two-layers' ? ['weight', 'bias'].map((part) => `multi_modal_projector.linear_2.${part}`) : [];
    expect([...merged.store.tensors.keys()].sort()).toEqual([...base.store.tensors.keys(), ...added].sort());
    expectClose((await runCausal(merged, batch)).logits, expected.get('merged_logits'));
    expect(numbersOf(base.store), 'the base stays as it is').toEqual(before);
  });

  it.each(cases)('$name: is written so that it reads back, and computes the same', async (c) => {
    const { base, loaded, expected, batch } = open(c);
    const folder = fresh();
    const tensors = new Map(
      [...attachAdapter(base, loaded).store.tensors].filter(([p]) => loaded.adapter.tensors.has(p)),
    );
    saveAdapter(folder, base, { lora: loaded.lora, tensors, baseName: null });
    const again = loadAdapter(folder, base);
    expect(again.adapter.config.modulesToSave.length > 0).toBe(loaded.adapter.config.modulesToSave.length > 0);
    expect(again.adapter.config.bias).toBe(loaded.adapter.config.bias);
    const got = await runCausal(attachAdapter(base, again), batch, { lora: again.lora });
    expectClose(got.logits, expected.get('logits'));
  });

  it.each(byTargets)('$name: target_modules mean the layers that PEFT adapted', async (c) => {
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
