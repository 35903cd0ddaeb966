import { describe, expect, it } from 'vitest';
import { loadModel } from '../../src/models/index.ts';
import { referenceBatch, runCausal } from '../support/causal.ts';
import { fixture, fixtureTensors } from '../support/fixtures.ts';
import { expectGradients, expectLogits, expectLoss } from '../support/parity.ts';

const cases = ['mha', 'gqa', 'mqa-head-dim', 'tied', 'rope-theta', 'qwen2'];
const forms = cases.flatMap((name) => [true, false].map((fusion) => ({ name, fusion })));

describe('decoders against transformers', () => {
  it.each(forms)('$name, fusion $fusion: logits, loss and every gradient', async ({ name, fusion }) => {
    const loaded = loadModel(fixture(`decoder/${name}`));
    const expected = fixtureTensors(`decoder/${name}/expected.safetensors`);
    const got = await runCausal(loaded, referenceBatch(expected), { fusion });
    expectLogits(got.logits, expected.get('logits'));
    expectLoss(got.loss, expected.get('loss'));
    expectGradients(got.grads, expected, (stored) => stored);
    expect(new Set(got.parameters)).toEqual(new Set(loaded.store.tensors.keys()));
  });
});
