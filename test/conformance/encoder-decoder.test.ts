import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadModel, openCheckpoint, saveModel } from '../../src/models/index.ts';
import { runCausal, sourceBatch } from '../support/causal.ts';
import { fixture, fixtureTensors } from '../support/fixtures.ts';
import { expectGradients, expectLogits, expectLoss } from '../support/parity.ts';
import { scratchFolder } from '../support/scratch-folder.ts';

const { fresh } = scratchFolder();

const cases = readdirSync(fixture('encoder-decoder'));
const forms = cases.flatMap((name) => [true, false].map((fusion) => ({ name, fusion })));

describe('encoder-decoders against transformers', () => {
  it.each(forms)('$name, fusion $fusion: logits, loss and every gradient', async ({ name, fusion }) => {
    const expected = fixtureTensors(`encoder-decoder/${name}/expected.safetensors`);
    const got = await runCausal(loadModel(fixture(`encoder-decoder/${name}`)), sourceBatch(expected), { fusion });
    expectLogits(got.logits, expected.get('logits'));
    expectLoss(got.loss, expected.get('loss'));
    expectGradients(got.grads, expected, (key) => key);
  });

  it.each(cases)('%s: is saved under the names and shapes that transformers wrote', (name) => {
    const folder = fresh();
    saveModel(folder, loadModel(fixture(`encoder-decoder/${name}`)));
    const layout = (at: string) => [...openCheckpoint(at).tensors].map(([key, { shape }]) => `${key} ${shape}`).sort();
    expect(layout(folder)).toEqual(layout(fixture(`encoder-decoder/${name}`)));
  });
});
