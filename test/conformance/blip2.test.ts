import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { int32, selector, type Tensor } from '../../src/base/index.ts';
import { add, Graph, gradients, mul, reduceSum, type Value } from '../../src/graph/index.ts';
import { loadModel, modelThat, openCheckpoint, saveModel } from '../../src/models/index.ts';
import { allocateStore, copyStore, type ParameterStore, ParameterTrace } from '../../src/nn/index.ts';
import { bestQuery } from '../../src/objectives/index.ts';
import { parsePlan } from '../../src/recipe/index.ts';
import { trainPlan } from '../../src/run/index.ts';
import { buildParts } from '../../src/run/parts.ts';
import { allocateGradients, LossProgram, objectiveNamed, traceProgram } from '../../src/train/index.ts';
import { hooks, llavaRows, writeRows } from '../end-to-end/material.ts';
import { writeBackbones } from '../support/backbones.ts';
import { referenceBatch, runCausal, sourceBatch } from '../support/causal.ts';
import { evaluate, sharedEngine } from '../support/evaluate.ts';
import { fixture, fixtureTensors, numbers } from '../support/fixtures.ts';
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

const comparing = 'blip2-compare';

/** The reference's images and texts as the inputs of a model that compares. */
function comparedFeeds(expected: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const [b, t] = (expected.get('input_ids') as Tensor).shape as [number, number];
  const mask = numbers(expected.get('attention_mask'));
  const lengths = Array.from({ length: b }, (_, i) => mask.slice(i * t, (i + 1) * t).reduce((x, y) => x + y));
  return new Map<string, Tensor>([
    ['ids', int32([b, t], numbers(expected.get('input_ids')))],
    ['textLengths', int32([b], lengths)],
    ['pixels', expected.get('pixel_values') as Tensor],
  ]);
}

const keysOfQueries = (path: string) => path.startsWith('qformer.');

it('image-text retrieval against transformers: similarities, matches and every gradient', async () => {
  const loaded = loadModel(fixture(comparing));
  const expected = fixtureTensors(`${comparing}/expected.safetensors`);
  const { matcher } = modelThat('matcher', loaded.model, comparing);
  const graph = new Graph();
  const trace = new ParameterTrace(graph);
  const p = trace.root();
  const feeds = comparedFeeds(expected);
  const x = Object.fromEntries(
    [...feeds].map(([name, { dtype, shape }]) => [name, graph.input(name, dtype, ['B', ...shape.slice(1)])]),
  );
  const text = matcher.texts(x);
  const { features, vectors } = matcher.image(p, x.pixels as Value);
  const similarity = bestQuery(vectors, matcher.text(p, text));
  const match = matcher.match(p, features, text);
  const seeded = (value: Value, name: string) =>
    reduceSum(mul(value, graph.input(`cotangent.${name}`, 'float32', value.shape)));
  const outputs = new Map([
    ['similarity', similarity],
    ['match', match],
  ]);
  const wrt = [...trace.values];
  const found = gradients(
    add(seeded(similarity, 'similarity'), seeded(match, 'match')),
    wrt.map(([, value]) => value),
  );
  for (const [i, [path]] of wrt.entries()) if (found[i]) outputs.set(`grad.${path}`, found[i]);
  const got = await evaluate(graph, outputs, new Map([...loaded.store.tensors, ...expected, ...feeds]));
  for (const name of ['similarity', 'match']) expectLogits(numbers(got.get(name)), expected.get(name), name);
  const grads = [...got].filter(([name]) => name.startsWith('grad.'));
  expectGradients(
    new Map(grads.map(([name, t]) => [name.slice('grad.'.length), numbers(t)])),
    expected,
    (key) => key,
    keysOfQueries,
  );
}, 240_000);

describe('the first stage against the formulas of LAVIS', () => {
  const stage = fixtureTensors(`${comparing}/stage-one.safetensors`);
  const objective = objectiveNamed('itc-itm-itg');

  it('contrast, matching with drawn negatives, and captions behind the queries, in one step: losses and every gradient', async () => {
    const { model, store: base } = loadModel(fixture(comparing));
    const feeds = comparedFeeds(fixtureTensors(`${comparing}/expected.safetensors`));
    const { targets, ids } = captionTargets(feeds);
    feeds.set('targetRows', int32([targets.length], targets));
    feeds.set('targetIds', int32([ids.length], ids));
    feeds.set('draws', stage.get('draws') as Tensor);
    const { specs } = traceProgram({ model, objective }, feeds.keys());
    const store: ParameterStore = allocateStore(specs);
    for (const [path, { data }] of store.tensors) {
      data.set((base.tensors.get(path) ?? (stage.get(path) as Tensor<'float32'>)).data);
    }
    const program = new LossProgram({
      engine: await sharedEngine(),
      model,
      objective,
      store,
      trained: [...specs.keys()],
    });
    const into = allocateGradients(store, () => true);
    const batch = { feeds, units: { batch: 1, token: ids.length, sample: 4 }, rows: 4, tokens: 0 };
    const { loss, metrics } = await program.run(batch, batch.units, { into });
    await program.dispose();
    expect(loss / (numbers(stage.get('loss'))[0] as number)).toBeCloseTo(1, 5);
    for (const name of ['itc', 'itm', 'itg']) {
      expect(metrics[name], name).toBeCloseTo(numbers(stage.get(name))[0] as number, 4);
    }
    const grads = new Map([...into.tensors].map(([path, { data }]) => [path, [...data]]));
    expectGradients(grads, stage, (key) => key, keysOfQueries);
  }, 240_000);
});

/** Every token of a text but its first, at the place before it. */
function captionTargets(feeds: ReadonlyMap<string, Tensor>): { targets: number[]; ids: number[] } {
  const lengths = numbers(feeds.get('textLengths'));
  const t = (feeds.get('ids') as Tensor).shape[1] as number;
  const targets = lengths.flatMap((length, b) => Array.from({ length: length - 1 }, (_, i) => b * t + i));
  const all = numbers(feeds.get('ids'));
  return { targets, ids: targets.map((row) => all[row + 1] as number) };
}

describe('files', () => {
  it.each([...queryCases, comparing])(
    '%s: are saved under the names and shapes that transformers wrote, and load again',
    (name) => {
      const loaded = loadModel(fixture(name));
      const folder = fresh();
      saveModel(folder, loaded);
      expect(layoutOf(folder)).toEqual(layoutOf(fixture(name)));
      expect([...loadModel(folder).store.tensors]).toEqual([...loaded.store.tensors]);
    },
  );

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

describe('the stages', () => {
  const root = scratchFolder().fresh();
  const at = (name: string) => join(root, name);
  const own = (value: unknown) => JSON.stringify(value);
  const query = ['attention', 'crossattention', 'intermediate_query', 'output_query'];
  const both = ['query_tokens', 'ln_vision.**', 'qformer.layernorm.**'];

  /** What a stage of two steps starts from, and what it leaves. */
  async function run(name: string, model: string, stage: string): Promise<[ParameterStore, ParameterStore]> {
    const plan = parsePlan(
      `
system: blip-2
model: ${model}
train: { steps: 2, batch: 8, lr: 1e-2, schedule: constant, warmup_ratio: 0, threads: 1 }
stages: [{ name: ${name}, ${stage}, data: [{ source: files, path: ${at('pairs.json')}, images: ${root} }] }]
output: { folder: ${at(name)} }
`,
      'blip2.yaml',
      [],
    );
    const start = copyStore((await buildParts(plan, async () => [])).loaded.store);
    await trainPlan(plan, { resume: false }, hooks());
    return [start, loadModel(join(at(name), 'model')).store];
  }

  function expectMoved([before, after]: [ParameterStore, ParameterStore], trained: readonly string[]): void {
    const isTrained = selector(trained);
    expect([...after.tensors.keys()].sort()).toEqual([...before.tensors.keys()].sort());
    for (const [path, { data }] of after.tensors) {
      const same = data.every((x, i) => Object.is(x, before.tensors.get(path)?.data[i]));
      expect(!same, path).toBe(isTrained(path));
    }
  }

  it('move what the paper trains, and not a bit of anything else; the second goes on from the first', async () => {
    writeBackbones(root);
    const rows = llavaRows().filter((row) => 'image' in row && row.conversations.length === 2);
    await writeRows(root);
    writeFileSync(at('pairs.json'), JSON.stringify(rows));
    const joined = `{ architecture: blip-2, vision: ${at('vision')}, language: ${at('language')}, queries: 3, width: 16, heads: 2, depth: 3, space: 8 }`;
    const first = [...both, 'qformer.**', 'embeddings.**', 'vision_projection.**', 'text_projection.**', 'itm_head.**'];
    const stage = (objective: string, template: string, trained: readonly string[]) =>
      `objective: ${objective}, template: ${template}, trainable: ${own(trained)}`;
    const represent = await run('represent', joined, stage('itc-itm-itg', 'text', first));
    expectMoved(represent, first);
    const second = [...both, ...query.map((part) => `qformer.encoder.layer.*.${part}.**`), 'language_projection.**'];
    const from = `{ architecture: blip-2, from: ${join(at('represent'), 'model')} }`;
    const generate = await run('generate', from, stage('lm', 'plain', second));
    expectMoved(generate, second);
    for (const [path, { data }] of generate[0].tensors) expect(represent[1].tensors.get(path)?.data).toEqual(data);
  }, 240_000);
});
