import { describe, expect, it } from 'vitest';
import { maxRelative } from '../../test/support/compare.ts';
import { sharedEngine } from '../../test/support/evaluate.ts';
import { imageBatch, rowsOf, textBatch, tinyLlama, tinyLlava, tinyModel } from '../../test/support/stages.ts';
import { int32, selector, type Tensor } from '../base/index.ts';
import type { Lora } from '../nn/index.ts';
import { type Batch, type Lanes, totalUnits } from './batch.ts';
import { allocateGradients } from './gradients.ts';
import { objectiveNamed } from './methods/index.ts';
import { LossProgram } from './program.ts';
import { StepProgram } from './step.ts';

interface Options {
  readonly json?: typeof tinyLlama;
  readonly trainable?: readonly string[];
  readonly lora?: Lora;
  readonly recompute?: boolean;
}

async function open({ json = tinyLlama, trainable = ['**'], lora, recompute = false }: Options = {}) {
  const { model, store } = tinyModel(json, lora);
  const engine = await sharedEngine();
  const gradients = allocateGradients(store, selector(trainable));
  const shared = { engine, model, store, objective: objectiveNamed('lm'), ...(lora && { lora }) };
  return {
    store,
    gradients,
    training: new StepProgram({ ...shared, gradients, recompute, lanes: 2 }),
    evaluation: new LossProgram(shared),
  };
}

const ONE = { token: 1, sample: 1, batch: 1 };

/** Loss of a whole step, its gradients in the program's buffer. */
async function step(program: StepProgram, ...lanes: Lanes): Promise<number> {
  return (await program.run(lanes, totalUnits(lanes.flat()))).loss;
}

const largest = (values: Float32Array) => values.reduce((m, x) => Math.max(m, Math.abs(x)), 0);

/** Of the loss, and of the largest gradient. */
const SPLIT = 1e-6;

describe('a step', () => {
  const [a, b, c, d] = [0, 1, 2, 3].map((i) => textBatch(rowsOf(0, 4).slice(i, i + 1), i)) as [
    Batch,
    Batch,
    Batch,
    Batch,
  ];
  const [ab, cd] = [0, 2].map((i) => textBatch(rowsOf(0, 4).slice(i, i + 2), i)) as [Batch, Batch];
  const splits: readonly (readonly [string, Lanes])[] = [
    ['two batches, one after the other', [[ab, cd]]],
    ['two batches, side by side', [[ab], [cd]]],
    ['four batches', [[a, b, c, d]]],
    [
      'four batches in two lanes',
      [
        [a, b],
        [c, d],
      ],
    ],
    ['lanes of different lengths', [[a, b, c], [d]]],
  ];

  it.each(splits)('gives the loss and the gradients of one batch: %s', async (_, lanes) => {
    const { training, gradients } = await open();
    const loss = await step(training, [textBatch(rowsOf(0, 4))]);
    const whole = gradients.flat.slice();
    expect(largest(whole)).toBeGreaterThan(1e-3);
    expect(Math.abs((await step(training, ...lanes)) / loss - 1)).toBeLessThan(SPLIT);
    expect(maxRelative(gradients.flat, whole)).toBeLessThan(SPLIT);
    await training.dispose();
  });

  it('has the same bits every time', async () => {
    const { training, gradients } = await open();
    const seen = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const loss = await step(training, [a, b], [c, d]);
      seen.add(`${loss} ${Buffer.from(gradients.flat.buffer).toString('base64')}`);
    }
    expect(seen.size).toBe(1);
    await training.dispose();
  });

  it('ends both lanes before it fails', async () => {
    const { training } = await open();
    const { ledger } = await sharedEngine();
    const { nativeHandles } = ledger.snapshot();
    const broken = { ...ab, feeds: new Map([...ab.feeds].filter(([name]) => name !== 'targetIds')) };
    for (const lanes of [
      [[broken], [cd]],
      [[ab], [broken]],
    ]) {
      await expect(step(training, ...lanes)).rejects.toMatchObject({ code: 'runtime/feed', path: 'targetIds' });
    }
    await training.dispose();
    expect(ledger.snapshot().nativeHandles).toBe(nativeHandles);
  });

  it('scales loss and gradient alike, and starts afresh', async () => {
    const lanes = [[ab], [cd]];
    const { training, gradients } = await open();
    gradients.flat.fill(Number.NaN);
    const { loss } = await training.run(lanes, ONE);
    const once = gradients.flat.slice();
    expect((await training.run(lanes, { ...ONE, token: 2 })).loss).toBeCloseTo(loss / 2, 5);
    expect(
      maxRelative(
        gradients.flat,
        once.map((g) => g / 2),
      ),
    ).toBeLessThan(SPLIT);
    await training.dispose();
  });

  it('evaluates to the same loss without gradients', async () => {
    const batch = textBatch(rowsOf(2, 2));
    const { training, evaluation } = await open();
    const { loss } = await training.run([[batch]], ONE);
    expect(Math.abs((await evaluation.run(batch, ONE)).loss / loss - 1)).toBeLessThan(SPLIT);
    await Promise.all([training.dispose(), evaluation.dispose()]);
  });
});

describe('a stage that trains what some batches do not reach', () => {
  const llava = { json: tinyLlava, trainable: ['multi_modal_projector.**'] };
  const text = textBatch(rowsOf(0, 2));

  it('has a gradient of zero for a batch of text alone', async () => {
    const { training, gradients } = await open(llava);
    await step(training, [imageBatch(0, 2)]);
    expect(largest(gradients.flat)).toBeGreaterThan(0);
    expect(await step(training, [text])).toBeGreaterThan(0);
    expect(largest(gradients.flat)).toBe(0);
    await training.dispose();
  });

  it('keeps the gradient of the images when text comes before, after or beside them', async () => {
    const { training, gradients } = await open(llava);
    const images = imageBatch(0, 2);
    const [before, after] = [
      [text, images],
      [images, text],
    ];
    await step(training, before);
    const first = gradients.flat.slice();
    expect(largest(first)).toBeGreaterThan(0);
    for (const lanes of [[after], [[text], [images]], [[images], [text]]]) {
      await step(training, ...lanes);
      expect(maxRelative(gradients.flat, first)).toBeLessThan(SPLIT);
    }
    await training.dispose();
  });
});

describe('dropout of adapters', () => {
  const lora: Lora = { r: 2, alpha: 4, targets: selector(['**.v_proj']), dropout: { rate: 0.3, seed: 0 } };
  const plain = textBatch(rowsOf(0, 2));
  const seeded = (seed: number): Batch => ({
    ...plain,
    feeds: new Map<string, Tensor>([...plain.feeds, ['dropoutSeed', int32([], [seed])]]),
  });

  it('is a function of the seed in training and off in evaluation', async () => {
    const { training, evaluation, gradients, store } = await open({ lora, trainable: ['**.lora_A.*', '**.lora_B.*'] });
    for (const [path, { data }] of store.tensors) if (path.includes('.lora_B.')) data.fill(0.1);
    const losses: number[] = [];
    const grads: Float32Array[] = [];
    for (const seed of [1, 1, 2]) {
      losses.push((await training.run([[seeded(seed)]], ONE)).loss);
      grads.push(gradients.flat.slice());
    }
    expect(losses[1]).toBe(losses[0]);
    expect(grads[1]).toEqual(grads[0]);
    expect(losses[2]).not.toBe(losses[0]);
    expect(grads[2]).not.toEqual(grads[0]);
    const calm = (await evaluation.run(plain, ONE)).loss;
    expect(losses).not.toContain(calm);
    expect((await evaluation.run(seeded(1), ONE)).loss).toBe(calm);
    await Promise.all([training.dispose(), evaluation.dispose()]);
  });

  it('asks for its seed', async () => {
    const { training } = await open({ lora });
    await expect(training.run([[plain]], ONE)).rejects.toMatchObject({ code: 'runtime/feed', path: 'dropoutSeed' });
    await training.dispose();
  });
});

describe('recomputation', () => {
  const lora: Lora = { r: 2, alpha: 4, targets: selector(['**.up_proj']), dropout: { rate: 0.3, seed: 0 } };
  const seed: [string, Tensor] = ['dropoutSeed', int32([], [7])];
  const cases: readonly [string, Options][] = [
    ['a language model', {}],
    ['LLaVA with images', { json: tinyLlava }],
    ['a projector between frozen parts', { json: tinyLlava, trainable: ['multi_modal_projector.**'] }],
    ['adapters with dropout', { json: tinyLlava, lora, trainable: ['**.lora_A.*', '**.lora_B.*'] }],
  ];

  it.each(cases)('gives the same loss and gradients bit for bit: %s', async (_, options) => {
    const batch = options.json ? imageBatch(0, 2) : textBatch(rowsOf(0, 2));
    const fed = { ...batch, feeds: new Map(options.lora ? [...batch.feeds, seed] : batch.feeds) };
    const results = [];
    for (const recompute of [false, true]) {
      const { training, gradients, store } = await open({ ...options, recompute });
      for (const [path, { data }] of store.tensors) if (path.includes('.lora_B.')) data.fill(0.1);
      results.push({ loss: (await training.run([[fed]], ONE)).loss, gradients: gradients.flat.slice() });
      await training.dispose();
    }
    expect(largest(results[0]?.gradients as Float32Array)).toBeGreaterThan(0);
    expect(results[1]).toEqual(results[0]);
  });
});
