import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { float32, type Tensor } from '../../src/base/index.ts';
import { builtinTemplate, collate, type Example, encodeRow, joinMedia, mediaLoader } from '../../src/data/index.ts';
import { Graph } from '../../src/graph/index.ts';
import { declareInputs, loadModel } from '../../src/models/index.ts';
import { ParameterTrace } from '../../src/nn/index.ts';
import { parsePlan } from '../../src/recipe/index.ts';
import { comparingOf } from '../../src/retrieve/comparing.ts';
import { loadForRetrieval, openRetriever, search } from '../../src/retrieve/index.ts';
import { RetrievalProgram } from '../../src/retrieve/program.ts';
import { buildParts } from '../../src/run/parts.ts';
import { writeRows } from '../end-to-end/material.ts';
import { writeBackbones } from '../support/backbones.ts';
import { evaluate, sharedEngine } from '../support/evaluate.ts';
import { fixture, fixtureJson, fixtureTensors, numbers } from '../support/fixtures.ts';
import { expectLogits } from '../support/parity.ts';
import { scratchFolder } from '../support/scratch-folder.ts';

/** A program over a fixture, its images and its texts without their padding. */
async function open(name: string) {
  const { model, store } = loadModel(fixture(name));
  const expected = fixtureTensors(`${name}/expected.safetensors`);
  const comparing = comparingOf(model, undefined, name);
  const program = new RetrievalProgram({ engine: await sharedEngine(), comparing, images: model.processor(), store });
  afterAll(() => program.dispose());
  const mask = numbers(expected.get('attention_mask'));
  const ids = numbers(expected.get('input_ids'));
  const [rows, width] = (expected.get('input_ids') as Tensor).shape as [number, number];
  const texts = Array.from({ length: rows }, (_, b) => ({
    ids: ids.slice(b * width, (b + 1) * width).filter((_, t) => mask[b * width + t] === 1),
  }));
  const images = new Map([['pixels', expected.get('pixel_values') as Tensor]]);
  return { program, store, expected, texts, images };
}

describe('retrieval against transformers', () => {
  it('Blip2ForImageTextRetrieval: similarities of all with all, and matches of pairs in any order', async () => {
    const { program, expected, texts, images } = await open('blip2-compare');
    const similarity = await program.similarities(images, await program.texts(texts));
    expectLogits(numbers(similarity), expected.get('similarity'), 'similarity');
    const features = await program.features(images);
    expectLogits(numbers(await program.match(features, [0, 1, 2, 3], texts)), expected.get('match'), 'match');
    const turned = [3, 1, 0, 2];
    const logits = numbers(
      await program.match(
        features,
        turned,
        turned.map((i) => texts[i] as (typeof texts)[number]),
      ),
    );
    const wanted = numbers(expected.get('match'));
    for (const [row, i] of turned.entries()) {
      for (const c of [0, 1]) expect(logits[2 * row + c]).toBeCloseTo(wanted[2 * i + c] as number, 4);
    }
  }, 120_000);

  it('CLIPModel: similarities of all with all', async () => {
    const { program, store, expected, texts, images } = await open('clip/contrastive');
    const scale = Math.exp(numbers(store.tensors.get('logit_scale'))[0] as number);
    const similarity = numbers(await program.similarities(images, await program.texts(texts)));
    expectLogits(
      similarity.map((cosine) => cosine * scale),
      expected.get('logits_per_image'),
    );
  }, 120_000);
});

interface Published {
  images: string[];
  texts: string[];
  similarities: number[][];
  matches?: number[][];
}

describe('folders as they are published, with vocabularies of words', () => {
  it.each(['clip', 'blip2'])(
    '%s: image files and texts compare as in transformers',
    async (name) => {
      const { images, texts, similarities, matches } = fixtureJson(`retrieve/${name}/expected.json`) as Published;
      const retriever = openRetriever(await loadForRetrieval(fixture(`retrieve/${name}`), await sharedEngine()));
      afterAll(() => retriever.close());
      const paths = images.map((image) => fixture(`image/files/${image}`));
      const { values, unread } = await retriever.similarities(paths, texts);
      expect(unread.size).toBe(0);
      expectLogits([...values], float32([9], similarities.flat()), 'similarities');
      expect(retriever.matches).toBe(matches !== undefined);
      if (!matches) return;
      const pairs = paths.flatMap((_, image) => texts.map((_, text) => [image, text] as const));
      const found = await retriever.match(paths, texts, pairs);
      const probabilities = found.map(({ probability }) => probability);
      expectLogits(probabilities, float32([9], matches.flat()), 'matches');
    },
    120_000,
  );
});

describe('a model that writes and compares', () => {
  const root = scratchFolder().fresh();
  const names = ['tall.jpg', 'wide.png', 'strip.png'];
  const texts = ['The image is red.', 'Blue.', 'Is it green?'];

  it('compares a text alone as it does one with its image in front, and ranks by both scores', async () => {
    writeBackbones(root);
    await writeRows(root);
    const widths = 'queries: 3, width: 16, heads: 2, depth: 3, space: 8';
    const plan = parsePlan(
      `
system: blip-2
model: { architecture: blip-2, vision: ${join(root, 'vision')}, language: ${join(root, 'language')}, ${widths} }
stages: [{ name: x, objective: itc-itm-itg, trainable: "**", data: [{ source: files, path: ${join(root, 'rows.json')} }] }]
train: { batch: 2, steps: 1, lr: 1.0e-3 }
`,
      'blip2.yaml',
      [],
    );
    const { loaded, tokenizer, processor } = await buildParts(plan, async () => []);
    const engine = await sharedEngine();
    const parts = { engine, ...loaded, tokenizer, ...(processor && { processor }) };
    const images = names.map((name) => join(root, 'shots', name));

    const reader = loaded.model.processor(processor);
    const settings = { tokenizer, template: builtinTemplate('text'), processor: reader };
    const examples = images.map((path, i): Example => {
      const turns = [
        { role: 'user' as const, parts: [{ type: 'media' as const, media: 0 }] },
        { role: 'assistant' as const, parts: [{ type: 'text' as const, text: texts[i] as string }] },
      ];
      const outcome = encodeRow({ id: path, where: path, media: [{ kind: 'image', path }], turns }, settings);
      if ('refused' in outcome) throw new Error(outcome.refused.message);
      return outcome.kept;
    });
    const read = await Promise.all(examples.map(({ media }) => mediaLoader().load(media)));
    const feeds = new Map([...collate(examples, reader, 0), ...joinMedia(read, reader)]);
    const graph = new Graph();
    const x = declareInputs(graph, reader.inputs, new Set(feeds.keys()));
    const outputs = loaded.model.forward(new ParameterTrace(graph).root(), x);
    const { image_embeds, text_embeds, match_logits } = outputs as Required<typeof outputs>;
    const trained = await evaluate(
      graph,
      { image_embeds, text_embeds, match_logits } as never,
      new Map([...loaded.store.tensors, ...feeds]),
    );

    const retriever = openRetriever(parts);
    const { values } = await retriever.similarities(images, texts);
    const [vectors, words] = [trained.get('image_embeds') as Tensor, trained.get('text_embeds') as Tensor];
    const [, queries, width] = vectors.shape as [number, number, number];
    const best = (i: number, t: number) =>
      Math.max(
        ...Array.from({ length: queries }, (_, q) =>
          Array.from(
            { length: width },
            (_, e) =>
              (numbers(vectors)[(i * queries + q) * width + e] as number) * (numbers(words)[t * width + e] as number),
          ).reduce((a, b) => a + b),
        ),
      );
    for (const i of names.keys()) {
      for (const t of texts.keys()) expect(values[i * texts.length + t]).toBeCloseTo(best(i, t), 5);
    }
    const pairs = names.map((_, i) => [i, i] as const);
    const logits = numbers(trained.get('match_logits'));
    for (const [i, { logit, probability }] of (await retriever.match(images, texts, pairs)).entries()) {
      expect(logit).toBeCloseTo(logits[2 * i + 1] as number, 5);
      expect(probability).toBeCloseTo(1 / (1 + Math.exp((logits[2 * i] as number) - logit)), 6);
    }

    const all = await search(retriever, images, texts);
    const every = await retriever.match(
      images,
      [texts[0] as string],
      [
        [0, 0],
        [1, 0],
        [2, 0],
      ],
    );
    const scores = every.map(({ logit }, i) => logit + (values[i * texts.length] as number));
    const order = [0, 1, 2].sort((a, b) => (scores[b] as number) - (scores[a] as number));
    expect(all.ofTexts[0]?.rematched?.map(({ at }) => at)).toEqual(order);
    expect(all.ofImages.map(({ rematched }) => rematched?.length)).toEqual([3, 3, 3]);
    await retriever.close();
  }, 240_000);
});
