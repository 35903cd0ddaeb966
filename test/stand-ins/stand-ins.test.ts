import './house.ts';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/base/index.ts';
import {
  batchSizes,
  builtinTemplate,
  collate,
  encodePrompt,
  encodeRow,
  joinMedia,
  loadTokenizer,
  type MediaPlan,
  type Row,
} from '../../src/data/index.ts';
import { answerOf } from '../../src/generate/answer.ts';
import { createResponder, GenerationProgram, loadForGeneration, scoreAnswer } from '../../src/generate/index.ts';
import { loadModel } from '../../src/models/index.ts';
import { hooks } from '../end-to-end/material.ts';
import { sharedEngine } from '../support/evaluate.ts';
import { numbers } from '../support/fixtures.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { patchworkConfig, question, translatorConfig, writeMaterial, writeStandIn } from './folders.ts';
import { gridOf, processor as patchworkProcessor } from './patchwork.ts';

const { parsePlan } = await import('../../src/recipe/index.ts');
const { evaluateModel, exportModel, foretellMemory, resumeRun, trainPlan } = await import('../../src/run/index.ts');

const root = scratchFolder().fresh();
const at = (name: string) => join(root, name);

interface StageChange {
  readonly objective?: string;
  readonly rows?: string;
  readonly lora?: string;
  readonly steps?: number;
  readonly lr?: number;
}

function planFor(
  system: string,
  run: string,
  { objective = 'lm', rows = 'rows.json', lora = '', steps = 40, lr = 2e-2 }: StageChange = {},
) {
  return parsePlan(
    `
system: llava
model: { architecture: ${system}, from: ${at(system)} }
train: { steps: ${steps}, batch: 4, lr: ${lr}, schedule: constant, log_every: 1, save_every: 10, threads: 1 }
stages:
  - name: tune
    objective: ${objective}
    trainable: ['**']
    template: llava-1.5
    ${lora}
    data: [{ source: files, path: ${at(rows)}, images: ${at('images')} }]
output: { folder: ${at(run)} }
`,
    `${run}.yaml`,
    [],
  );
}

const metricsOf = (run: string) =>
  readFileSync(join(at(run), 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ loss }) => loss !== undefined);

beforeAll(async () => {
  await writeMaterial(root);
  writeStandIn(at('patchwork'), patchworkConfig);
  writeStandIn(at('translator'), translatorConfig);
}, 60_000);

describe('an input kind of its own, with as many rows as an image is large', () => {
  const processor = patchworkProcessor({ image_token_id: 7, line_token_id: 8 });
  const side = fc.integer({ min: 1, max: 90 });

  it('agrees on tokens, places and feeds between text, batch and memory plan, for 2,000 geometries', () => {
    const size = fc.record({ width: side, height: side });
    const rows = fc.array(fc.array(size, { maxLength: 3 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(rows, (batch) => {
        const sequences = batch.map((sizes) => {
          const ids = [1];
          const media = sizes.map((one) => {
            const plan = processor.plan?.({ kind: 'image', path: 'x' }, () => [one]) as MediaPlan;
            const span = { input: 'ids', start: ids.length, plan };
            ids.push(...plan.ids, 2);
            return span;
          });
          return { ids, media };
        });
        const read = sequences.map(({ media }, b) =>
          media.map(({ plan }, i) => {
            const { width, height } = (batch[b] as { width: number; height: number }[])[i] as {
              width: number;
              height: number;
            };
            return plan.read([{ width, height, data: new Uint8Array(3 * width * height) }]);
          }),
        );
        const feeds = new Map<string, Tensor>([...collate(sequences, processor, 0), ...joinMedia(read, processor)]);
        const { feeds: names, sizes } = batchSizes(sequences, processor);
        const patches = batch.flat().reduce((n, one) => n + gridOf(one).rows * gridOf(one).columns, 0);
        expect([...feeds.keys()].sort()).toEqual([...names].sort());
        expect(feeds.get('patches')?.shape[0] ?? 0).toBe(patches);
        expect(sizes.get('P') ?? 0).toBe(patches);
        const ids = numbers(feeds.get('ids'));
        const slots = patches === 0 ? [] : numbers(feeds.get('patchRows'));
        expect(slots).toEqual([...ids.keys()].filter((i) => ids[i] === 7));
        expect(feeds.get('ids')?.shape).toEqual([sizes.get('B'), sizes.get('T')]);
      }),
      { numRuns: 2000 },
    );
  }, 60_000);

  it('spells boxes in the text, and reads them back', async () => {
    const tokenizer = await loadTokenizer(at('patchwork'));
    const image = { kind: 'image', path: at('images/tall.png') } as const;
    const row: Row = {
      id: 'r',
      where: 'row 1',
      media: [image],
      turns: [
        {
          role: 'user',
          parts: [
            { type: 'media', media: 0 },
            { type: 'text', text: 'Where?' },
          ],
        },
        { role: 'assistant', parts: [{ type: 'boxes', of: 0, boxes: [[5, 0, 15, 37]] }] },
      ],
    };
    const reader = loadModel(at('patchwork')).model.processor();
    const { boxes: _, ...withoutBoxes } = reader;
    const settings = { tokenizer, template: builtinTemplate('llava-1.5'), processor: reader, imageToken: '<image>' };
    const outcome = encodeRow(row, settings);
    expect('kept' in outcome && tokenizer.decode(outcome.kept.ids)).toContain('[25,0,75,100]');
    expect(encodePrompt(row, { ...settings, processor: withoutBoxes })).toMatchObject({
      refused: { code: 'row/media' },
    });
  });
});

describe('a system with inputs and outputs of its own', () => {
  it('trains, is stopped and goes on to the same bytes', async () => {
    await trainPlan(planFor('patchwork', 'straight'), { resume: false }, hooks());
    const abort = new AbortController();
    const stopping = hooks(abort.signal, ({ label, done }) => {
      if (label === 'stage tune' && done === 13) abort.abort();
    });
    const stopped = await trainPlan(planFor('patchwork', 'pieces'), { resume: false }, stopping);
    expect(stopped.status).toBe('interrupted');
    await resumeRun(at('pieces'), hooks());
    for (const file of ['model/model.safetensors', 'metrics.jsonl']) {
      expect(readFileSync(join(at('pieces'), file)).equals(readFileSync(join(at('straight'), file)))).toBe(true);
    }
    const losses = metricsOf('straight').map(({ loss }) => loss);
    expect(losses.at(-1)).toBeLessThan(0.1 * losses[0]);
  }, 120_000);

  it('answers with boxes in pixels, scores, and is evaluated by a task about them', async () => {
    const parts = await loadForGeneration(at('straight'), await sharedEngine());
    const responder = createResponder(parts);
    const image = at('images/tall.png');
    const [answer] = await responder.answer([{ image, prompt: question, maxTokens: 24 }]);
    expect(answer).toEqual({ text: '[10,20,30,40]', boxes: [[2, 7.4, 6, 14.8]], images: [], finish: 'stop' });
    await responder.close();
    const scores = await scoreAnswer(parts, { prompt: question, answer: '[10,20,30,40]', images: [image] });
    expect(scores.reduce((n, { logProb }) => n + logProb, 0)).toBeGreaterThan(-2);
    const { evaluation } = await evaluateModel(
      at('straight'),
      { tasks: ['pointing'], blind: true, data: root },
      hooks(),
    );
    expect(evaluation.tasks[0]?.groups.all?.pointed?.sighted.value).toBe(1);
  }, 120_000);

  it('draws the images whose codes it writes', async () => {
    const parts = await loadForGeneration(at('straight'), await sharedEngine());
    const program = new GenerationProgram(parts);
    const palette = parts.store.tensors.get('palette.weight') as Tensor<'float32'>;
    palette.data.set([1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1]);
    const ids = [5, 300, 301, 302, 303, 5, 300, 301];
    const { images } = await answerOf(program, { media: [] }, { text: ' ', ids });
    // The palette's rows lie one after another over the channels of four pixels.
    expect(images).toHaveLength(1);
    expect(images?.[0]).toMatchObject({ width: 2, height: 2 });
    expect([...(images?.[0]?.data ?? [])].filter((byte) => byte === 255)).toHaveLength(6);
    await program.dispose();
  });

  it('foretells its memory and leaves for other tools', async () => {
    const [planned] = await foretellMemory(planFor('patchwork', 'planned'), { resume: false }, hooks());
    expect(planned?.memory.largest.P).toBe(3 * 5 + 6 * 2);
    expect(planned?.memory.images).toBeGreaterThan(0);
    await exportModel(at('straight'), { to: 'hf', out: at('hf'), dtype: 'float32', merge: true });
    expect(numbers(loadModel(at('hf')).store.tensors.get('patches.weight'))).toEqual(
      numbers(loadModel(join(at('straight'), 'model')).store.tensors.get('patches.weight')),
    );
    await exportModel(at('straight'), { to: 'onnx', out: at('onnx'), dtype: 'float32', merge: true });
    expect(existsSync(join(at('onnx'), 'model.onnx'))).toBe(true);
    expect(readFileSync(join(at('onnx'), 'README.md'), 'utf8')).toContain('patches of all images, row by row');
  }, 60_000);
});

describe('an encoder-decoder', () => {
  it('trains, answers from its source alone, and scores', async () => {
    await trainPlan(
      planFor('translator', 'translated', { rows: 'words.json', steps: 200, lr: 5e-3 }),
      { resume: false },
      hooks(),
    );
    const losses = metricsOf('translated').map(({ loss }) => loss);
    expect(losses.at(-1)).toBeLessThan(0.5 * losses[0]);
    const parts = await loadForGeneration(at('translated'), await sharedEngine());
    const scored = (answer: string) => scoreAnswer(parts, { prompt: 'Say two.', answer, images: [] });
    const total = async (answer: string) => (await scored(answer)).reduce((n, { logProb }) => n + logProb, 0);
    expect(await total('[25,5,75,95]')).toBeGreaterThan(await total('[10,20,30,40]'));
    const responder = createResponder(parts);
    const ask = (word: string) => ({ prompt: `Say ${word}.`, maxTokens: 12 });
    const together = await responder.answer(['one', 'two', 'three'].map(ask));
    const alone = [];
    for (const word of ['one', 'two', 'three']) alone.push(...(await responder.answer([ask(word)])));
    expect(together).toEqual(alone);
    await responder.close();
  }, 120_000);
});

describe('an objective over pairs with a reference', () => {
  const pairs = { objective: 'preference', rows: 'pairs.json', steps: 12 };

  it('begins at log 2 without a margin, whether the reference is a copy or the adapter switched off', async () => {
    await trainPlan(planFor('patchwork', 'copied', pairs), { resume: false }, hooks());
    await trainPlan(planFor('patchwork', 'adapted', { ...pairs, lora: 'lora: { r: 4 }' }), { resume: false }, hooks());
    for (const run of ['copied', 'adapted']) {
      const [first, ...rest] = metricsOf(run);
      expect(first.loss).toBeCloseTo(Math.LN2, 5);
      expect(first.metrics.margin).toBeCloseTo(0, 5);
      expect(first.targets).toBe(4);
      expect(rest.at(-1).metrics.margin).toBeGreaterThan(1);
      expect(rest.at(-1).loss).toBeLessThan(0.5);
    }
  }, 120_000);

  it('reads pairs for views that an objective makes of them', async () => {
    await trainPlan(
      planFor('patchwork', 'made', { ...pairs, objective: 'mdpo', steps: 2 }),
      { resume: false },
      hooks(),
    );
    const [first] = metricsOf('made');
    expect(first.loss).toBeCloseTo(3 * Math.LN2, 5);
    expect(first.metrics).toMatchObject({ reward_margin: expect.closeTo(0, 5), tokens_chosen: expect.any(Number) });
    expect(first.targets).toBe(4);
  }, 120_000);

  it('goes on to the same bytes with the reference that the stage began with', async () => {
    const abort = new AbortController();
    const stopping = hooks(abort.signal, ({ label, done }) => {
      if (label === 'stage tune' && done === 5) abort.abort();
    });
    await trainPlan(planFor('patchwork', 'paired', pairs), { resume: false }, stopping);
    await resumeRun(at('paired'), hooks());
    expect(readFileSync(join(at('paired'), 'metrics.jsonl'))).toEqual(
      readFileSync(join(at('copied'), 'metrics.jsonl')),
    );
  }, 120_000);

  it('refuses rows without the other answer', async () => {
    const plan = planFor('patchwork', 'alone', { ...pairs, rows: 'rows.json' });
    await expect(trainPlan(plan, { resume: false }, hooks())).rejects.toMatchObject({
      code: expect.stringContaining('data/'),
    });
  });
});
