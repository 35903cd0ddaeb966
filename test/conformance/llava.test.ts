import { describe, expect, it } from 'vitest';
import { loadModel } from '../../src/models/index.ts';
import { fromFileName } from '../../src/models/weights/layouts.ts';
import { referenceBatch, runCausal } from '../support/causal.ts';
import { fixture, fixtureJson, fixtureTensors } from '../support/fixtures.ts';
import { expectGradients, expectLogits, expectLoss } from '../support/parity.ts';

const cases = ['v1.5', 'v1.5-gqa', 'v1.5-multi', 'v1.5-nonsquare', 'v1', 'v1.5-qwen3', 'v1.5-gemma2', 'v1.5-opt'];
const forms = cases.flatMap((name) => [true, false].map((fusion) => ({ name, fusion })));

/** What a case says beside its tensors. */
interface Facts {
  readonly unreached: readonly string[];
  readonly imageToken?: number;
}

function open(name: string) {
  const loaded = loadModel(fixture(`llava/${name}`));
  const expected = fixtureTensors(`llava/${name}/expected.safetensors`);
  const facts = fixtureJson(`llava/${name}/expected.json`) as Facts;
  const batch = referenceBatch(expected, facts.imageToken ?? loaded.model.image?.tokenId);
  const rename = (stored: string) => fromFileName(loaded.layout, stored) ?? stored;
  return { loaded, expected, facts, batch, rename };
}

describe('LLaVA against transformers', () => {
  it.each(forms)('$name, fusion $fusion: logits, loss and every gradient', async ({ name, fusion }) => {
    const { loaded, expected, facts, batch, rename } = open(name);
    const got = await runCausal(loaded, batch, { fusion });
    expectLogits(got.logits, expected.get('logits'));
    expectLoss(got.loss, expected.get('loss'));
    // Without rotation a bias of all keys changes no score.
    expectGradients(got.grads, expected, rename, (path) => path.startsWith('vision_tower.') || name === 'v1.5-opt');
    const unreached = got.parameters.filter((path) => !got.grads.has(path));
    expect(unreached.sort()).toEqual(facts.unreached.map(rename).sort());
  });

  it('v1-two-layers: an identity after the one projector layer is no layer', async () => {
    const { loaded, expected, batch, rename } = open('v1-two-layers');
    expect(loaded.store.specs.has('multi_modal_projector.linear_2.weight')).toBe(false);
    const got = await runCausal(loaded, batch);
    expectLogits(got.logits, expected.get('logits'));
    const own = [...expected].filter(([name]) => !name.includes('.linear_2.'));
    expectGradients(got.grads, new Map(own), rename, (path) => path.startsWith('vision_tower.'));
  });

  it('v1.5-bf16: weights stored in bfloat16 compute in float32', async () => {
    const { loaded, expected, batch } = open('v1.5-bf16');
    const got = await runCausal(loaded, batch);
    expectLogits(got.logits, expected.get('logits'));
    expectLoss(got.loss, expected.get('loss'));
  });
});
