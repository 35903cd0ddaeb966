import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/base/index.ts';
import { collate } from '../../src/data/index.ts';
import { loadModel } from '../../src/models/index.ts';
import { fromFileName } from '../../src/models/weights/layouts.ts';
import { referenceBatch, runCausal } from '../support/causal.ts';
import { fixture, fixtureJson, fixtureTensors, numbers } from '../support/fixtures.ts';
import { crossCases, referenceCase } from '../support/model-cases.ts';
import { expectGradients, expectLogits, expectLoss } from '../support/parity.ts';

const forms = crossCases.flatMap((name) => [true, false].map((fusion) => ({ name, fusion })));

function open(name: string) {
  const loaded = loadModel(fixture(name));
  const expected = fixtureTensors(`${name}/expected.safetensors`);
  const { reader, rows } = referenceCase(name);
  const { imageRows: _, ...batch } = referenceBatch(expected, loaded.model.image?.tokenId);
  const own = collate(rows, reader, 0);
  const looks = ['imageNumbers', 'imagePlaces', 'latest'].map((input) => [input, own.get(input) as Tensor]);
  const rename = (stored: string) => fromFileName(loaded.layout, stored) ?? stored;
  return { loaded, expected, batch: { ...batch, ...Object.fromEntries(looks) }, rename };
}

describe('Flamingo against the formulas of OpenFlamingo', () => {
  it.each(forms)('$name, fusion $fusion: logits, loss and every gradient', async ({ name, fusion }) => {
    const { loaded, expected, batch, rename } = open(name);
    const got = await runCausal(loaded, batch, { fusion });
    expectLogits(got.logits, expected.get('logits'));
    expectLoss(got.loss, expected.get('loss'));
    // Without rotation a bias of all keys changes no score.
    expectGradients(got.grads, expected, rename, (path) => path.startsWith('vision_tower.') || name.endsWith('opt'));
    const { unreached } = fixtureJson(`${name}/expected.json`) as { unreached: string[] };
    const ours = got.parameters.filter((path) => !got.grads.has(path));
    expect(ours.sort()).toEqual(unreached.map(rename).sort());
  });

  it('sees from each token the last image before it, and none before the first', () => {
    const { batch } = open('flamingo/llama');
    const { latest, ids } = batch as typeof batch & { readonly latest: Tensor };
    let count = 0;
    const t = ids.shape[1] as number;
    const kept = new Set(numbers(batch.rows));
    const expected = numbers(ids).map((id, i) => {
      count = i % t === 0 ? 0 : count;
      count += id === 62 ? 1 : 0;
      return kept.has(i) ? count : 0;
    });
    expect(numbers(latest)).toEqual(expected);
    expect(Math.max(...expected)).toBe(3);
  });
});
