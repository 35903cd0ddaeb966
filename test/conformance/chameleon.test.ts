import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { int32, type Tensor } from '../../src/base/index.ts';
import { decodeImage } from '../../src/data/index.ts';
import { draw, writeAndDraw } from '../../src/generate/draw.ts';
import {
  createResponder,
  drawImages,
  GenerationProgram,
  loadForGeneration,
  openConversation,
  type Prompt,
  scoreAnswer,
} from '../../src/generate/index.ts';
import { continuation, score } from '../../src/generate/score.ts';
import { Graph, gradients, mul, reduceSum, type Value } from '../../src/graph/index.ts';
import { chameleonConfig, chameleonParts, codeToken, imageTokens } from '../../src/models/fusion/chameleon.ts';
import {
  type ConfigJson,
  loadModel,
  modelFromConfig,
  modelThat,
  openCheckpoint,
  saveModel,
} from '../../src/models/index.ts';
import { codeLatents, imageCodes, paintCodes, vqLatents, vqPixels } from '../../src/models/vision/vq.ts';
import { fromFileName, toFileName } from '../../src/models/weights/layouts.ts';
import { type ParameterStore, ParameterTrace } from '../../src/nn/index.ts';
import { parsePlan } from '../../src/recipe/index.ts';
import { trainPlan } from '../../src/run/index.ts';
import { hooks, writeRows } from '../end-to-end/material.ts';
import { referenceBatch, runCausal } from '../support/causal.ts';
import { maxAbsolute } from '../support/compare.ts';
import { evaluate, sharedEngine } from '../support/evaluate.ts';
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
  return { loaded, expected, rename, batch: () => referenceBatch(expected, loaded.model.image?.tokenId) };
}

function expectSameTensors({ tensors: got }: ParameterStore, { tensors: want }: ParameterStore): void {
  expect([...got.keys()]).toEqual([...want.keys()]);
  const bytes = ({ data }: Tensor<'float32'>) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  for (const [path, tensor] of want)
    expect(bytes(tensor).equals(bytes(got.get(path) as typeof tensor)), path).toBe(true);
}

describe('Chameleon against transformers', () => {
  it.each(forms)(
    '$name, fusion $fusion: logits, loss over text and codes, and every gradient',
    async ({ name, fusion }) => {
      const { loaded, expected, batch, rename } = open(name);
      const got = await runCausal(loaded, batch(), { fusion });
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
        ['codes', imageCodes(place, c.vq, input)],
        ['tokens', imageTokens(p, c, input)],
      ]);
      const got = await evaluate(graph, outputs, new Map([...loaded.store.tensors, ['pixels', pixels]]));
      expect(maxAbsolute(numbers(got.get('latents')), numbers(expected.get('vq.latents')))).toBeLessThan(1e-4);
      expect(numbers(got.get('codes'))).toEqual(numbers(expected.get('vq.codes')));
      expect(numbers(got.get('tokens'))).toEqual(numbers(expected.get('vq.tokens')));
    },
  );

  it.each(tokenCases)('%s: gives the ids that it read, codes in their slots', async (name) => {
    const { loaded, expected, ...opened } = open(name);
    const batch = opened.batch();
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

describe('the decoder of images', () => {
  const name = 'chameleon/painter';

  it.each([true, false])('paints as the formulas of VQGAN, fusion %s, with their gradients', async (fusion) => {
    const { loaded, expected, rename } = open(name);
    const { vq } = chameleonConfig(loaded.model.json);
    const [codes, cotangent] = ['codes', 'cotangent'].map((key) => expected.get(key)) as [Tensor, Tensor];
    const graph = new Graph({ fusion });
    const trace = new ParameterTrace(graph);
    const place = trace.root().at(chameleonParts.vision);
    const drawn = graph.input('codes', 'int32', codes.shape);
    const pixels = vqPixels(place, vq, codeLatents(place, vq, drawn, [3, 3]));
    const loss = reduceSum(mul(pixels, graph.input('cotangent', 'float32', cotangent.shape)));
    const wrt = [...trace.values];
    const found = gradients(
      loss,
      wrt.map(([, value]) => value),
    ).map((grad, i) => [`grad.${wrt[i]?.[0]}`, grad as Value] as const);
    const outputs = new Map([['pixels', pixels], ['painted', paintCodes(place, vq, drawn, [3, 3])], ...found] as const);
    const ids = int32(codes.shape, numbers(codes));
    const feeds = new Map<string, Tensor>([...loaded.store.tensors, ['codes', ids], ['cotangent', cotangent]]);
    const got = await evaluate(graph, outputs, feeds);
    const want = numbers(expected.get('pixels'));
    expect(maxAbsolute(numbers(got.get('pixels')), want)).toBeLessThan(1e-4);
    const clamped = want.map((x) => (Math.min(Math.max(x, -1), 1) + 1) / 2);
    expect(want.some((x) => Math.abs(x) > 1)).toBe(true);
    expect(maxAbsolute(numbers(got.get('painted')), clamped)).toBeLessThan(1e-4);
    const stored = (path: string) => toFileName(loaded.layout, path);
    const compared = found.flatMap(([key]) => {
      const path = key.slice('grad.'.length);
      return expected.has(`grad.${stored(path)}`) ? [[path, numbers(got.get(key))] as const] : [];
    });
    expect(compared.length).toBe(50);
    expectGradients(new Map(compared.filter(([path]) => !path.match(unseen))), withoutUnseen(expected), rename);
  });

  it('stands in the file under the names of the published one, and is missed where it is asked for', () => {
    const { loaded } = open(name);
    const [saved, folder] = [fresh(), fresh()];
    saveModel(saved, loaded);
    expectSameTensors(loadModel(saved).store, loaded.store);
    expect(loaded.model.painter?.perImage).toBe(9);
    const without = open('chameleon/pre-norm').loaded;
    expect(without.model.painter).toBeUndefined();
    saveModel(folder, without);
    const { json } = without.model;
    const config = { ...json, vq_config: { ...(json.vq_config as ConfigJson), image_decoder: true } };
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
    expect(() => loadModel(folder)).toThrow(
      expect.objectContaining({
        code: 'weights/missing',
        expected: expect.stringContaining('model.vqmodel.decoder.up.1.upsample.conv.weight'),
      }),
    );
  });
});

/** A bias of all keys changes no score, and those of the last level are taken away by norms of single channels. */
const unseen = /attn_1\.k\.bias$|up\.0\.block\.\d\.(conv\d|nin_shortcut)\.bias$/;

const withoutUnseen = (expected: ReadonlyMap<string, Tensor>) =>
  new Map([...expected].filter(([key]) => !key.match(unseen)));

describe('drawing', () => {
  /** The code that weighted log-probabilities of all streams choose; where weights add up to 1, logits choose it too. */
  async function chosen(
    program: GenerationProgram,
    streams: readonly (Prompt & { weight: number })[],
    taken: number[],
  ) {
    const codes = program.model.painter?.codes as readonly number[];
    const asked = streams.flatMap(({ weight: _, ...prompt }) =>
      codes.map((code) => continuation({ ...prompt, ids: [...Array.from(prompt.ids), ...taken] }, [code])),
    );
    const scores = await score(program, asked);
    const sums = codes.map((_, k) =>
      streams.reduce((sum, { weight }, s) => sum + weight * (scores[s * codes.length + k]?.[0] as number), 0),
    );
    return codes[sums.indexOf(Math.max(...sums))] as number;
  }

  it('takes codes of u + 1.2 (i - u) + 3 (f - i), for prompts with an image and without', async () => {
    const { model, store } = loadModel(fixture('chameleon/painter'));
    const program = new GenerationProgram({
      engine: await sharedEngine(),
      model: modelThat('writer', model, ''),
      store,
    });
    const { codes = [], around: [begin, end] = [0, 0] } = model.painter ?? {};
    const shown = [begin, ...codes.slice(3, 12), end];
    const full = [7, 9, ...shown, 5];
    const cases = [
      {
        prompt: full,
        streams: [
          { ids: [begin], weight: -0.2 },
          { ids: [...shown, begin], weight: -1.8 },
          { ids: [...full, begin], weight: 3 },
        ],
      },
      {
        prompt: [8, 4],
        streams: [
          { ids: [begin], weight: -2 },
          { ids: [8, 4, begin], weight: 3 },
        ],
      },
    ];
    const drawn = numbers(
      await draw(
        program,
        cases.map(({ prompt }) => ({ ids: prompt })),
      ),
    );
    const wanted: number[][] = [];
    for (const { streams } of cases) {
      const taken: number[] = [];
      while (taken.length < 9) taken.push(await chosen(program, streams, taken));
      wanted.push(taken.map((id) => codes.indexOf(id)));
    }
    expect(maxAbsolute(drawn, numbers(await program.paint(wanted)))).toBeLessThan(1e-6);
    await program.dispose();
  });

  it('comes within an answer: text, an image in one piece, text; and none where it has no room', async () => {
    const { model, store } = loadModel(fixture('chameleon/painter'));
    const { codes = [], perImage = 0, around: [begin, end] = [0, 0] } = model.painter ?? {};
    const program = new GenerationProgram({
      engine: await sharedEngine(),
      model: modelThat('writer', model, ''),
      store,
    });
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, seed) =>
        writeAndDraw(program, { ids: [3, 8], maxTokens: 40 }, { sampling: { temperature: 3, seed } }),
      ),
    );
    const isCode = (id: number) => codes.includes(id);
    expect(answers.some(({ ids }) => ids.includes(begin) && ids.at(-1) !== end)).toBe(true);
    for (const { ids, finish } of answers) {
      expect([ids.length, finish]).toEqual([40, 'length']);
      for (const [at, id] of ids.entries()) {
        if (id !== begin) continue;
        expect(ids.slice(at + 1, at + 1 + perImage).every(isCode)).toBe(true);
        expect(ids[at + 1 + perImage]).toBe(end);
      }
      expect(ids.filter(isCode)).toHaveLength(perImage * ids.filter((id) => id === begin).length);
    }
    const short = await writeAndDraw(program, { ids: [3, 8], maxTokens: 10 }, { sampling: { temperature: 50 } });
    expect(short.ids).not.toContain(begin);
    await program.dispose();
  });
});

describe('files', () => {
  it.each(tokenCases)('%s: a save has the names and shapes of the file that transformers wrote', (name) => {
    const folder = fresh();
    const { loaded } = open(name);
    saveModel(folder, loaded);
    const layout = (at: string) => [...openCheckpoint(at).tensors].map(([key, { shape }]) => `${key} ${shape}`).sort();
    expect(layout(folder)).toEqual(layout(fixture(name)));
    expectSameTensors(loadModel(folder).store, loaded.store);
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

describe('a new model', () => {
  const root = scratchFolder().fresh();
  const at = (name: string) => join(root, name);
  const shots = ['tall.jpg', 'wide.png'].map((name) => join(root, 'shots', name));

  it('learns text and drawn images in one stage, and answers, scores and is evaluated', async () => {
    const drawn = {
      id: 'draw',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'image', image: 'shots/tall.jpg' },
            { type: 'text', text: 'The other way.' },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'text', text: 'Here.' },
            { type: 'image', image: 'shots/wide.png' },
          ],
        },
      ],
    };
    await writeRows(root);
    writeFileSync(at('drawn.json'), JSON.stringify([drawn, drawn]));
    const recipe = `
system: chameleon
model: { architecture: chameleon, size: tiny, vocab_size: 400, codes: 12 }
train: { steps: 1, batch: 4, log_every: 1, lr: 1e-3, schedule: constant, warmup_ratio: 0, threads: 1 }
stages:
  - name: tokenize
    objective: vector-quantization
    trainable: [vqmodel.**]
    template: plain
    data: [{ source: tabletop, task: alt-text, scenes: 8 }]
  - name: learn
    objective: lm
    loss: { z_loss: 1e-5 }
    trainable: [language_model.**]
    template: chameleon
    data:
      - { source: files, path: ${at('rows.json')}, images: ${root} }
      - { source: files, path: ${at('drawn.json')}, images: ${root} }
      - { source: tabletop, task: drawing, scenes: 4 }
output: { folder: ${at('run')} }
`;
    await trainPlan(parsePlan(recipe, 'chameleon.yaml', []), { resume: false }, hooks());
    const lines = readFileSync(join(at('run'), 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n');
    expect(lines.filter((line) => JSON.parse(line).metrics?.codes_used > 0)).toHaveLength(1);
    expect(lines.filter((line) => JSON.parse(line).metrics?.z_loss > 0)).toHaveLength(1);
    const parts = await loadForGeneration(at('run'), await sharedEngine());
    const { language, vision } = parts.model.parts;
    expect([language, vision]).toEqual(['language_model', 'vqmodel']);
    const chat = openConversation(parts);
    const first = await chat.say({ text: 'What is there?', images: shots }, { maxTokens: 6, temperature: 1, seed: 3 });
    const second = await chat.say({ text: 'And here?', images: shots.slice(1) }, { maxTokens: 6 });
    // Each image is 64 codes between two tokens.
    expect(first.promptTokens).toBeGreaterThan(2 * 66);
    expect(second.promptTokens).toBeGreaterThan(3 * 66);
    await chat.close();
    const asked = { prompt: 'What colour is the image?', answer: 'red', images: shots.slice(0, 1) };
    const scores = await scoreAnswer(parts, asked);
    expect(scores.at(-1)?.text).toBe('<reserved08706>');
    expect(scores.every(({ logProb }) => logProb < 0)).toBe(true);
    const how = { count: 2, temperature: 1, seed: 5 };
    const [one, other] = await drawImages(parts, { prompt: 'Draw.', images: shots.slice(0, 1) }, how);
    expect(one).toMatchObject({ width: 32, height: 32 });
    expect(one?.data).not.toEqual(other?.data);
    const responder = createResponder(parts);
    const questions = shots.map((image) => ({ image, prompt: 'Red?', maxTokens: 3 }));
    expect(await responder.answer(questions)).toHaveLength(2);
    const drawing = { prompt: 'Draw a red ball.', maxTokens: 0, draws: 'prompt' as const };
    const again = { prompt: '', maxTokens: 0, draws: 'image' as const };
    const [fromWords, ...painted] = await responder.answer([drawing, ...shots.map((image) => ({ ...again, image }))]);
    expect(fromWords?.images?.map(({ width }) => width)).toEqual([32]);
    const files = await Promise.all(shots.map((path) => decodeImage(path)));
    expect(painted.map(({ images }) => images?.[0])).toEqual(files);
    expect(painted.map(({ images }) => images?.[1]?.width)).toEqual([32, 32]);
    await responder.close();
  }, 240_000);
});
