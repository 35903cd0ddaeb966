import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/base/index.ts';
import { collate } from '../../src/data/index.ts';
import { GenerationProgram } from '../../src/generate/index.ts';
import {
  type ConfigJson,
  copyPart,
  createModel,
  loadModel,
  openCheckpoint,
  saveModel,
} from '../../src/models/index.ts';
import { fromFileName } from '../../src/models/weights/layouts.ts';
import { copyStore, initializeStore, type ParameterStore } from '../../src/nn/index.ts';
import { parsePlan } from '../../src/recipe/index.ts';
import { trainPlan } from '../../src/run/index.ts';
import { buildParts } from '../../src/run/parts.ts';
import { hooks, writeRows } from '../end-to-end/material.ts';
import { writeBackbones } from '../support/backbones.ts';
import { referenceBatch, runCausal } from '../support/causal.ts';
import { sharedEngine } from '../support/evaluate.ts';
import { fixture, fixtureJson, fixtureTensors, numbers } from '../support/fixtures.ts';
import { crossCases, referenceCase } from '../support/model-cases.ts';
import { expectGradients, expectLogits, expectLoss } from '../support/parity.ts';
import { scratchFolder } from '../support/scratch-folder.ts';

const { fresh } = scratchFolder();

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

describe('the gates', () => {
  const closed = (store: ParameterStore) => {
    for (const [path, { data }] of store.tensors) if (path.endsWith('_gate')) data.fill(0);
  };

  it.each(crossCases)('%s: at 0 leave the language model as it is, bit for bit', async (name) => {
    const { loaded, batch } = open(name);
    closed(loaded.store);
    const place = 'language_model.';
    const json = { ...(loaded.model.json.text_config as ConfigJson) };
    const alone = createModel({ ...json, tie_word_embeddings: loaded.model.json.tie_word_embeddings });
    copyPart(loaded, place, alone.store, '');
    const { ids, rows, targetRows, targetIds } = batch;
    const plain = await runCausal(alone, { ids, rows, targetRows, targetIds });
    const got = await runCausal(loaded, batch);
    expect(got.logits).toEqual(plain.logits);
    expect(got.loss).toBe(plain.loss);
  });

  it('stand in front of every n-th block, and start at 0 or where they are told to', () => {
    const { model } = loadModel(fixture('flamingo/llama'));
    const cross = (model.json.cross_attn_config ?? {}) as ConfigJson;
    const started = (every: number, start?: number) => {
      const told = start !== undefined && { cross_attn_config: { ...cross, gate_start: start } };
      const { store } = createModel({ ...model.json, cross_attn_every_n_layers: every, ...told });
      initializeStore(store, 1);
      return [...store.tensors].filter(([path]) => path.endsWith('attn_gate'));
    };
    const places = (every: number) => started(every).map(([path]) => path.split('.')[1]);
    expect(places(1)).toEqual(['0', '1', '2', '3']);
    expect(places(2)).toEqual(['1', '3']);
    expect(places(3)).toEqual(['2']);
    expect(started(1).every(([, { data }]) => data[0] === 0)).toBe(true);
    expect(started(1, 1).every(([, { data }]) => data[0] === 1)).toBe(true);
    expect(() => started(5)).toThrow(expect.objectContaining({ expected: 'a whole number from 1 to 4' }));
  });
});

it('keys and values of images are made with the prompt, and read by every step', async () => {
  const program = new GenerationProgram({ ...referenceCase('flamingo/llama'), engine: await sharedEngine() });
  const names = (ports: readonly { readonly name: string }[]) => ports.map(({ name }) => name);
  const shows = await program.session('decode', ['ids', 'pixels', 'imageNumbers', 'imagePlaces', 'latest']);
  const words = await program.session('decode', ['ids', 'latest']);
  const step = await program.session('decode');
  expect(names(shows.outputs)).toContain('present.media.key.3');
  expect(names(words.outputs)).toContain('present.media.seen');
  expect(names(step.inputs)).toContain('cache.media.key.3');
  expect(names(step.inputs)).not.toContain('gated_cross_attn_layers.3.attn.to_kv.weight');
  expect(names(step.outputs)).not.toContain('present.media.key.3');
  await program.dispose();
});

describe('files', () => {
  it.each(crossCases)('%s: are saved under the names of OpenFlamingo, and load again', (name) => {
    const { loaded } = open(name);
    const folder = fresh();
    saveModel(folder, loaded);
    const layout = (at: string) => [...openCheckpoint(at).tensors].map(([key, { shape }]) => `${key} ${shape}`).sort();
    expect(layout(folder)).toEqual(layout(fixture(name)));
    expect([...loadModel(folder).store.tensors]).toEqual([...loaded.store.tensors]);
  });

  it('hold the trained parts alone where OpenFlamingo wrote them, beside folders of the frozen parts', () => {
    const official = loadModel(fixture('flamingo/official'));
    const whole = loadModel(fixture('flamingo/llama'));
    for (const [path, { data }] of whole.store.tensors) {
      const got = official.store.tensors.get(path) as Tensor<'float32'>;
      // The published code never saves the rows of a head that is no table: they are drawn anew.
      const known = path === 'language_model.lm_head.weight' ? 61 * 32 : data.length;
      expect(got.data.length, path).toBe(data.length);
      expect(got.data.subarray(0, known), path).toEqual(data.subarray(0, known));
    }
    const folder = fresh();
    saveModel(folder, official);
    const [saved, given] = [openCheckpoint(folder), openCheckpoint(fixture('flamingo/official'))];
    for (const stored of given.tensors.keys()) expect(saved.read(stored), stored).toEqual(given.read(stored));
    expect([...loadModel(folder).store.tensors]).toEqual([...official.store.tensors]);
  });

  it('that lack a gated layer, or hold one too many, are refused with its name', () => {
    const { loaded } = open('flamingo/llama');
    const folder = fresh();
    saveModel(folder, loaded);
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
    const write = (every: number) =>
      writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, cross_attn_every_n_layers: every }));
    write(1);
    const layer = (i: number) =>
      expect.stringContaining(`lang_encoder.model.layers.${i}.gated_cross_attn_layer.attn_gate`);
    expect(() => loadModel(folder)).toThrow(expect.objectContaining({ code: 'weights/missing', expected: layer(0) }));
    write(4);
    expect(() => loadModel(folder)).toThrow(expect.objectContaining({ code: 'weights/unused', got: layer(1) }));
  });
});

describe('a stage', () => {
  const root = scratchFolder().fresh();
  const at = (name: string) => join(root, name);

  it('moves the resampler, the gated layers and the rows of the added tokens, and not a bit of anything else', async () => {
    writeBackbones(root);
    await writeRows(root);
    const recipe = `
system: flamingo
model: { architecture: flamingo, vision: ${at('vision')}, language: ${at('language')}, latents: 4, depth: 1 }
train: { steps: 4, batch: 8, lr: 1e-2, schedule: constant, warmup_ratio: 0, weight_decay: 0.1, threads: 1 }
stages:
  - name: pretrain
    objective: lm
    trainable: [perceiver.**, gated_cross_attn_layers.**, '**.embed_tokens.weight', '**.lm_head.weight']
    template: flamingo
    data: [{ source: files, path: ${at('rows.json')}, images: ${root} }]
output: { folder: ${at('run')} }
`;
    const plan = parsePlan(recipe, 'flamingo.yaml', []);
    const { loaded: before, tokenizer } = await buildParts(plan, async () => []);
    const start = copyStore(before.store);
    await trainPlan(plan, { resume: false }, hooks());
    const { model, store } = loadModel(join(at('run'), 'model'));
    const [image, end] = ['<image>', '<|endofchunk|>'].map((token) => tokenizer.specials.get(token));
    expect([model.json.media_token_id, model.json.eoc_token_id]).toEqual([image, end]);
    const moved = (path: string, from = 0, to?: number) => {
      const [a, b] = [start, store].map(({ tensors }) =>
        (tensors.get(path) as Tensor<'float32'>).data.subarray(from, to),
      );
      return !(a as Float32Array).every((x, i) => Object.is(x, b?.[i]));
    };
    const added = { 'language_model.model.embed_tokens.weight': [image, end], 'language_model.lm_head.weight': [end] };
    for (const path of store.tensors.keys()) {
      const rows = (added as Record<string, (number | undefined)[]>)[path];
      if (!rows) {
        expect(moved(path), path).toBe(/^(perceiver|gated_cross_attn_layers)\./.test(path));
        continue;
      }
      const [count, width] = (store.tensors.get(path) as Tensor).shape as [number, number];
      const open = Array.from({ length: count }, (_, row) => row).filter((row) =>
        moved(path, row * width, (row + 1) * width),
      );
      expect(open, path).toEqual([...rows].sort());
    }
  }, 240_000);
});
