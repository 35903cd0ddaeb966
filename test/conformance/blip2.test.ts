import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadModel, openCheckpoint, saveModel } from '../../src/models/index.ts';
import { referenceBatch, runCausal, sourceBatch } from '../support/causal.ts';
import { fixture, fixtureTensors } from '../support/fixtures.ts';
import { queryCases } from '../support/model-cases.ts';
import { expectGradients, expectLogits, expectLoss } from '../support/parity.ts';
import { scratchFolder } from '../support/scratch-folder.ts';

const { fresh } = scratchFolder();

const forms = [...queryCases.map((name) => ({ name, fusion: true })), { name: 'blip2/opt', fusion: false }];

const layoutOf = (at: string) => [...openCheckpoint(at).tensors].map(([key, { shape }]) => `${key} ${shape}`).sort();

describe('BLIP-2 against transformers', () => {
  it.each(forms)(
    '$name, fusion $fusion: logits, loss and every gradient',
    async ({ name, fusion }) => {
      const loaded = loadModel(fixture(name));
      const expected = fixtureTensors(`${name}/expected.safetensors`);
      const { image, writer } = loaded.model;
      const batch = (writer?.source ? sourceBatch : referenceBatch)(expected, image?.tokenId);
      const got = await runCausal(loaded, batch, { fusion });
      expectLogits(got.logits, expected.get('logits'));
      expectLoss(got.loss, expected.get('loss'));
      // Where nothing is rotated a bias of all keys changes no score.
      const unrotated = (path: string) => path.startsWith('qformer.') || name.endsWith('opt');
      expectGradients(got.grads, expected, (key) => key, unrotated);
    },
    240_000,
  );
});

describe('files', () => {
  it.each(queryCases)('%s: are saved under the names and shapes that transformers wrote, and load again', (name) => {
    const loaded = loadModel(fixture(name));
    const folder = fresh();
    saveModel(folder, loaded);
    expect(layoutOf(folder)).toEqual(layoutOf(fixture(name)));
    expect([...loadModel(folder).store.tensors]).toEqual([...loaded.store.tensors]);
  });

  it('that lack a layer of the Q-Former, or hold one too many, are refused with its names', () => {
    const folder = fresh();
    saveModel(folder, loadModel(fixture('blip2/opt')));
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
    const write = (change: object) =>
      writeFileSync(
        join(folder, 'config.json'),
        JSON.stringify({ ...config, qformer_config: { ...config.qformer_config, ...change } }),
      );
    write({ cross_attention_frequency: 1 });
    const layer = expect.stringContaining('qformer.encoder.layer.1.crossattention.attention.key.bias');
    expect(() => loadModel(folder)).toThrow(expect.objectContaining({ code: 'weights/missing', expected: layer }));
    write({ num_hidden_layers: 2 });
    const last = expect.stringContaining('qformer.encoder.layer.2.output_query.LayerNorm.weight');
    expect(() => loadModel(folder)).toThrow(expect.objectContaining({ code: 'weights/unused', got: last }));
  });
});
