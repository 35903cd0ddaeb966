import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/base/index.ts';
import { Graph } from '../../src/graph/index.ts';
import { chameleonConfig, chameleonParts, codeToken, imageTokens } from '../../src/models/fusion/chameleon.ts';
import { type ConfigJson, loadModel, modelFromConfig, openCheckpoint, saveModel } from '../../src/models/index.ts';
import { nearestCodes, vqLatents } from '../../src/models/vision/vq.ts';
import { fromFileName } from '../../src/models/weights/layouts.ts';
import { ParameterTrace } from '../../src/nn/index.ts';
import { referenceBatch, runCausal } from '../support/causal.ts';
import { maxAbsolute } from '../support/compare.ts';
import { evaluate } from '../support/evaluate.ts';
import { fixture, fixtureJson, fixtureTensors, numbers } from '../support/fixtures.ts';
import { tokenCases } from '../support/model-cases.ts';
import { expectGradients, expectLogits, expectLoss } from '../support/parity.ts';
import { scratchFolder } from '../support/scratch-folder.ts';

const { fresh } = scratchFolder();
const forms = tokenCases.flatMap((name) => [true, false].map((fusion) => ({ name, fusion })));

function open(name: string) {
  const loaded = loadModel(fixture(name));
  const expected = fixtureTensors(`${name}/expected.safetensors`);
  const rename = (stored: string) => fromFileName(loaded.layout, stored) ?? stored;
  return { loaded, expected, batch: referenceBatch(expected, loaded.model.image?.tokenId), rename };
}

describe('Chameleon against transformers', () => {
  it.each(forms)(
    '$name, fusion $fusion: logits, loss over text and codes, and every gradient',
    async ({ name, fusion }) => {
      const { loaded, expected, batch, rename } = open(name);
      const got = await runCausal(loaded, batch, { fusion });
      expectLogits(got.logits, expected.get('logits'));
      expectLoss(got.loss, expected.get('loss'));
      expectGradients(got.grads, expected, rename);
      const { unreached } = fixtureJson(`${name}/expected.json`) as { unreached: string[] };
      const ours = [...loaded.store.specs.keys()].filter((path) => !got.grads.has(path));
      expect(ours.sort()).toEqual(unreached.map(rename).sort());
    },
  );

  it.each(forms)(
    '$name, fusion $fusion: the codes of images are the same, and so are their tokens',
    async ({ name, fusion }) => {
      const { loaded, expected } = open(name);
      const c = chameleonConfig(loaded.model.json);
      const graph = new Graph({ fusion });
      const p = new ParameterTrace(graph).root();
      const pixels = expected.get('pixel_values') as Tensor;
      const input = graph.input('pixels', 'float32', pixels.shape);
      const place = p.at(chameleonParts.vision);
      const latents = vqLatents(place, c.vq, input);
      const outputs = new Map([
        ['latents', latents],
        ['codes', nearestCodes(place, c.vq, latents)],
        ['tokens', imageTokens(p, c, input)],
      ]);
      const got = await evaluate(graph, outputs, new Map([...loaded.store.tensors, ['pixels', pixels]]));
      expect(maxAbsolute(numbers(got.get('latents')), numbers(expected.get('vq.latents')))).toBeLessThan(1e-4);
      expect(numbers(got.get('codes'))).toEqual(numbers(expected.get('vq.codes')));
      expect(numbers(got.get('tokens'))).toEqual(numbers(expected.get('vq.tokens')));
    },
  );

  it.each(tokenCases)('%s: gives the ids that it read, codes in their slots', async (name) => {
    const { loaded, expected, batch } = open(name);
    const graph = new Graph();
    const { writer } = loaded.model;
    const ids = graph.input('ids', 'int32', batch.ids.shape);
    const pixels = graph.input('pixels', 'float32', (batch.pixels as Tensor).shape);
    const imageRows = graph.input('imageRows', 'int32', (batch.imageRows as Tensor).shape);
    const read = writer?.hidden(new ParameterTrace(graph).root(), { ids, pixels, imageRows }).ids;
    const feeds = new Map<string, Tensor>([...loaded.store.tensors, ...Object.entries(batch)]);
    const got = numbers((await evaluate(graph, new Map([['read', read as typeof ids]]), feeds)).get('read'));
    const tokens = numbers(expected.get('vq.tokens'));
    let at = 0;
    const image = loaded.model.image?.tokenId;
    expect(got).toEqual(numbers(batch.ids).map((id) => (id === image ? tokens[at++] : id)));
    expect(at).toBe(tokens.length);
  });
});

describe('files', () => {
  it.each(tokenCases)('%s: a save has the names and shapes of the file that transformers wrote', (name) => {
    const folder = fresh();
    const { loaded } = open(name);
    saveModel(folder, loaded);
    const layout = (at: string) => [...openCheckpoint(at).tensors].map(([key, { shape }]) => `${key} ${shape}`).sort();
    expect(layout(folder)).toEqual(layout(fixture(name)));
    expect([...loadModel(folder).store.tensors]).toEqual([...loaded.store.tensors]);
  });

  it('that lack a level of the tokenizer, or hold one too many, are refused with its names', () => {
    const { loaded } = open('chameleon/pre-norm');
    const folder = fresh();
    saveModel(folder, loaded);
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
    const write = (levels: readonly number[]) =>
      writeFileSync(
        join(folder, 'config.json'),
        JSON.stringify({ ...config, vq_config: { ...config.vq_config, channel_multiplier: levels } }),
      );
    const names = (name: string) => expect.stringContaining(`model.vqmodel.encoder.${name}`);
    write([1, 2, 2]);
    expect(() => loadModel(folder)).toThrow(
      expect.objectContaining({ code: 'weights/missing', expected: names('down.2.block.0.conv1.weight') }),
    );
    write([1]);
    expect(() => loadModel(folder)).toThrow(
      expect.objectContaining({ code: 'weights/unused', got: names('down.1.block.0.conv1.weight') }),
    );
  });

  it('name a token for each code, and letters stand for its digits', () => {
    expect([0, 7, 8191].map(codeToken)).toEqual(['IMGIMGAZ', 'IMGIMGHZ', 'IMGIMGIBJBZ']);
    const { json } = open('chameleon/pre-norm').loaded.model;
    const map = json.vocabulary_map as Record<string, number>;
    const without = (name: string) => Object.fromEntries(Object.entries(map).filter(([key]) => key !== name));
    const read = (vocabulary: ConfigJson) => () => modelFromConfig({ ...json, vocabulary_map: vocabulary });
    const fault = (path: string) =>
      expect.objectContaining({ code: 'config/value', path: expect.stringContaining(path) });
    expect(read(without('IMGIMGCZ'))).toThrow(fault('vocabulary_map: IMGIMGCZ'));
    expect(read(without('<eoss>'))).toThrow(fault('vocabulary_map: <eoss>'));
    expect(read({ ...map, IMGIMGBCDZ: 3 })).toThrow(fault('config.json: vocabulary_map'));
    expect(read({ ...map, IMGIMGBZ: map.IMGIMGCZ })).toThrow(fault('config.json: vocabulary_map'));
    expect(read({ ...map, IMGIMGBZ: 104 })).toThrow(fault('vocabulary_map: IMGIMGBZ'));
  });
});
