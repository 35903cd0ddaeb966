import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/base/index.ts';
import { collate } from '../../src/data/index.ts';
import { GenerationProgram, type GenerationRequest, generate } from '../../src/generate/index.ts';
import { copyPart, createModel, loadModel, modelThat, partPrefix, saveModel } from '../../src/models/index.ts';
import { fromFileName, halvesOfPairs } from '../../src/models/weights/layouts.ts';
import { initializeStore } from '../../src/nn/index.ts';
import { loadPlan } from '../../src/recipe/index.ts';
import { exportModel, trainPlan } from '../../src/run/index.ts';
import { hooks } from '../end-to-end/material.ts';
import { referenceBatch, runCausal } from '../support/causal.ts';
import { maxAbsolute } from '../support/compare.ts';
import { sharedEngine } from '../support/evaluate.ts';
import { fixture, fixtureJson, fixtureTensors } from '../support/fixtures.ts';
import { expectGradients, expectLogits, expectLoss } from '../support/parity.ts';
import { cropTo } from '../support/processor.ts';
import { scratchFolder } from '../support/scratch-folder.ts';

const { fresh } = scratchFolder();
const cases = ['original', 'gqa', 'text-original'];
const forms = cases.flatMap((name) => [true, false].map((fusion) => ({ name, fusion })));

interface Facts {
  readonly unreached: readonly string[];
  readonly imagesPerRow: readonly number[];
  readonly greedy: readonly { readonly prompt: number[]; readonly images: number; readonly tokens: number[] }[];
}

function open(name: string, folder = fixture(`llama-adapter/${name}`)) {
  const loaded = loadModel(folder);
  const expected = fixtureTensors(`llama-adapter/${name}/expected.safetensors`);
  const facts = fixtureJson(`llama-adapter/${name}/expected.json`) as Facts;
  const { imageRows: _, ...words } = referenceBatch(expected);
  const pixels = expected.get('pixel_values') as Tensor<'float32'> | undefined;
  const [height = 28, width = 28] = (pixels?.shape.slice(2) ?? []) as number[];
  const reader = loaded.model.processor(cropTo(height, width));
  const plan = reader.plan?.({ kind: 'image', path: 'x' }, () => []);
  let used = 0;
  /** A text with the next images of the file beside it. */
  const asked = (ids: readonly number[], count: number) => {
    const media = Array.from({ length: count }, () => {
      const size = (pixels as Tensor).data.length / (pixels?.shape[0] as number);
      const data = (pixels as Tensor<'float32'>).data.subarray(used * size, ++used * size);
      const values = { pixels: { dtype: 'float32' as const, shape: [1, 3, height, width], data } };
      return { input: 'ids', start: 0, tokens: 0, plan: plan as NonNullable<typeof plan>, values };
    });
    return { ids, ...(count > 0 && { media }) };
  };
  const prompts = facts.greedy.map(({ prompt, images }) => asked(prompt, images));
  const looks = Object.fromEntries(
    [...collate(prompts, reader, 0)].filter(([input]) => input === 'images' || input === 'imageTexts'),
  );
  const rename = (stored: string) => fromFileName(loaded.layout, stored) ?? stored;
  return { loaded, expected, facts, batch: { ...words, ...looks }, reader, prompts, rename };
}

/** The gradients of the file, rows of heads in tessera's order. */
function inOrder({ loaded, expected, rename }: ReturnType<typeof open>): Map<string, Tensor> {
  const { interleaved } = loaded.layout;
  return new Map(
    [...expected].map(([name, t]) => {
      if (!interleaved?.names.test(rename(name.slice('grad.'.length)))) return [name, t];
      const data = (t.data as Float32Array).slice();
      halvesOfPairs(data, t.shape[0] as number, interleaved.headSize);
      return [name, { ...t, data } as Tensor];
    }),
  );
}

describe('LLaMA-Adapter against the formulas of its code and paper', () => {
  it.each(forms)('$name, fusion $fusion: logits, loss and every gradient', async ({ name, fusion }) => {
    const opened = open(name);
    const { loaded, expected, facts, batch, rename } = opened;
    expect(loaded.layout.name).toBe(name === 'gqa' ? 'llama-adapter' : 'llama-adapter-original');
    const got = await runCausal(loaded, batch, { fusion });
    expectLogits(got.logits, expected.get('logits'));
    expectLoss(got.loss, expected.get('loss'));
    expectGradients(got.grads, inOrder(opened), rename, (path) => path.startsWith('vision_tower.'));
    const unreached = got.parameters.filter((path) => !got.grads.has(path));
    expect(unreached.sort()).toEqual(facts.unreached.map(rename).sort());
  });

  it.each(cases)('%s: greedy tokens, alone and together, and by the lowering for webgpu', async (name) => {
    const { loaded, facts, reader, prompts } = open(name);
    const engine = await sharedEngine();
    const tokens = facts.greedy.map((entry) => entry.tokens);
    const requests: GenerationRequest[] = prompts.map((prompt) => ({ ...prompt, maxTokens: 12 }));
    const model = modelThat('writer', loaded.model, name);
    for (const target of [engine.target, 'webgpu'] as const) {
      const program = new GenerationProgram({ engine: { ...engine, target }, model, reader, store: loaded.store });
      const ids = async (list: readonly GenerationRequest[], prefillTokens = 8192) =>
        (await generate(program, list, { prefillTokens })).map((answer) => answer.ids);
      expect(await ids(requests)).toEqual(tokens);
      if (target === engine.target) {
        expect(await ids(requests, 1)).toEqual(tokens);
        for (const [i, request] of requests.entries()) expect(await ids([request])).toEqual([tokens[i]]);
      }
      await program.dispose();
    }
  });

  it.each(cases)(
    "%s: is saved under transformers' names for its language model, and reads back the same",
    async (name) => {
      const { loaded, expected, batch } = open(name);
      const folder = fresh();
      saveModel(folder, loaded);
      const again = open(name, folder).loaded;
      expect(again.layout.name).toBe('llama-adapter');
      for (const [path, { data }] of loaded.store.tensors)
        expect(again.store.tensors.get(path)?.data, path).toEqual(data);
      expectLogits((await runCausal(again, batch)).logits, expected.get('logits'));
    },
  );
});

describe('a gate at zero', () => {
  it.each(cases)('%s: the model is the frozen language model, bit for bit, whatever it is shown', async (name) => {
    const { loaded, batch } = open(name);
    const alone = createModel(loaded.model.json.text_config as Record<string, unknown>);
    copyPart(loaded, 'language_model.', alone.store, '');
    const plain = await runCausal(alone, batch);
    expect((await runCausal(loaded, batch)).logits).not.toEqual(plain.logits);
    const fresh = createModel(loaded.model.json);
    initializeStore(fresh.store, 5);
    copyPart(alone, '', fresh.store, 'language_model.');
    const begun = await runCausal(fresh, batch);
    expect(begun.logits).toEqual(plain.logits);
    expect(begun.loss).toBe(plain.loss);
  });
});

describe('a run of the recipe', () => {
  const root = fresh();
  const overrides = [
    'stages.adapt.data.0.scenes=8',
    'train.steps=3',
    'train.batch=4',
    'train.warmup_ratio=0',
    'eval=null',
    `output.folder=${join(root, 'run')}`,
  ];

  it('moves the adapter alone, saves it in under 500 kB, and gives the model back from it and its hosts', async () => {
    await trainPlan(loadPlan('llama-adapter', overrides), { resume: false }, hooks());
    const run = (path: string) => join(root, 'run', path);
    const { model, store } = loadModel(run('model'));
    const begun = createModel(model.json);
    initializeStore(begun.store, 0);
    for (const [part, folder] of Object.entries({ language: 'tabletop-lm', vision: 'tabletop-clip' })) {
      const host = loadModel(`assets/backbones/${folder}`);
      copyPart(host, partPrefix(host.model, part), begun.store, partPrefix(model, part));
    }
    const moved = [...store.tensors].filter(([path, { data }]) => {
      const before = begun.store.tensors.get(path)?.data as Float32Array;
      return data.some((x, i) => !Object.is(x, before[i]));
    });
    const adapter = [...store.specs.keys()].filter((path) => path.startsWith('adapter.'));
    expect(adapter.length).toBe(8);
    expect(moved.map(([path]) => path).sort()).toEqual(adapter.sort());

    await exportModel(join(root, 'run'), { to: 'hf', out: join(root, 'exported'), dtype: 'float32', merge: false });
    for (const folder of [run('adapter'), join(root, 'exported')]) {
      expect(statSync(join(folder, 'model.safetensors')).size).toBeLessThan(500_000);
      const again = loadModel(folder);
      expect(Object.keys(again.from ?? {})).toEqual(['language', 'vision']);
      for (const [path, { data }] of store.tensors) {
        expect(maxAbsolute(again.store.tensors.get(path)?.data ?? [], data), path).toBe(0);
      }
    }
    const config = JSON.parse(readFileSync(run('adapter/config.json'), 'utf8'));
    for (const [language, code] of [
      ['gone', 'model/part-missing'],
      ['.', 'model/part-beside'],
    ]) {
      const base_models = { ...config.base_models, language };
      writeFileSync(run('adapter/config.json'), JSON.stringify({ ...config, base_models }));
      expect(() => loadModel(run('adapter'))).toThrow(expect.objectContaining({ code }));
    }
  }, 300_000);
});
