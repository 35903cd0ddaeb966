import { describe, expect, it } from 'vitest';
import { maxAbsolute } from '../../test/support/compare.ts';
import {
  copyOf,
  numbersOf,
  rowsOf,
  ruleSource,
  textBatch,
  tinyClip,
  tinyModel,
  tinyStage,
  train,
} from '../../test/support/stages.ts';
import { float32, int32, Random, selector, type Tensor } from '../base/index.ts';
import type { Lora } from '../nn/index.ts';
import type { Batch, BatchSource } from './batch.ts';
import type { Stage, StageState, StepRecord } from './loop.ts';
import { objectiveNamed } from './methods/index.ts';

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** Paths whose values differ between two stores. */
function moved(before: Stage['store'], after: Stage['store']): string[] {
  return [...before.tensors].flatMap(([path, { data }]) =>
    (after.tensors.get(path) as Tensor).data.every((x, i) => Object.is(x, data[i])) ? [] : [path],
  );
}

describe('runStage', () => {
  it('learns the rule of its rows', async () => {
    const { records, outcome } = await train(await tinyStage({ settings: { steps: 60, lr: 2e-2 } }));
    const losses = records.map(({ loss }) => loss);
    // The rows are new at every step: near log(23) at first, and only the rule brings it down.
    expect(losses[0]).toBeGreaterThan(2.5);
    expect(mean(losses.slice(-5))).toBeLessThan(0.5);
    expect(outcome).toMatchObject({ status: 'done', loss: losses.at(-1) });
  });

  it('trains in its only step too, where a warm-up would have a rate of 0', async () => {
    const { records } = await train(await tinyStage({ settings: { steps: 1, lr: 1e-2, warmupRatio: 0.03 } }));
    expect(records.map(({ lr }) => lr)).toEqual([1e-2]);
  });

  it('moves every trainable parameter and leaves the others bit for bit', async () => {
    const patterns = ['model.layers.**', '!**.q_proj.**', 'lm_head.**'];
    const stage = await tinyStage({ trainable: selector(patterns), settings: { steps: 3 } });
    const before = copyOf(stage.store);
    const { outcome } = await train(stage);
    const chosen = [...stage.store.tensors].filter(([path]) => stage.trainable(path));
    expect(moved(before, stage.store)).toEqual(chosen.map(([path]) => path));
    expect(chosen.length).toBeGreaterThan(5);
    expect(outcome.trained).toBe(chosen.reduce((n, [, { data }]) => n + data.length, 0));
  });

  it('gives other rates to the parameters of a pattern, the last that fits', async () => {
    const lrFor = [
      { pattern: 'model.layers.**', lr: 0 },
      { pattern: 'model.layers.1.**', lr: 1e-3 },
    ];
    const stage = await tinyStage({
      settings: { steps: 1, lr: 1e-2, lrFor, schedule: 'constant', warmupRatio: 0, weightDecay: 0 },
    });
    const before = copyOf(stage.store);
    await train(stage);
    const steps = new Map(
      [...before.tensors].map(([path, { data }]) => [
        path,
        maxAbsolute(data, (stage.store.tensors.get(path) as Tensor<'float32'>).data),
      ]),
    );
    // Adam's first step is the rate itself.
    for (const [path, step] of steps) {
      const rate = path.startsWith('model.layers.0.') ? 0 : path.startsWith('model.layers.') ? 1e-3 : 1e-2;
      expect(Math.abs(step - rate), path).toBeLessThanOrEqual(0.01 * rate);
    }
  });

  it('goes on counting the steps that the moments are corrected for', async () => {
    const lr = 1e-5;
    const source = { stepsPerEpoch: 1, lanes: 1, step: async () => [[textBatch(rowsOf(0, 4))]] };
    const changes = { steps: 3, lr, schedule: 'constant', warmupRatio: 0, weightDecay: 0 } as const;
    const stage = await tinyStage({ source, settings: changes });
    const before = copyOf(stage.store);
    await train(stage);
    // Under a gradient that hardly changes every corrected step is the rate.
    expect(maxAbsolute(numbersOf(stage.store), numbersOf(before)) / (3 * lr)).toBeCloseTo(1, 2);
  });

  it('records warm-up, decay, epochs and targets', async () => {
    const { records, evaluated, saved } = await train(
      await tinyStage({
        settings: { steps: 8, lr: 1, warmupRatio: 0.25, schedule: 'linear', clip: 1e-9, evalEvery: 3, saveEvery: 4 },
      }),
    );
    expect(records.map(({ lr }) => lr)).toEqual(
      [0, 0.5, 1, 5 / 6, 4 / 6, 0.5, 2 / 6, 1 / 6].map((x) => expect.closeTo(x, 12)),
    );
    expect(records.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(records.at(-1)).toMatchObject({ stage: 'tune', epoch: 2, targets: 10 + 9 + 8 + 10 });
    expect(records.every(({ grad_norm }) => grad_norm > 0)).toBe(true);
    expect(evaluated).toEqual([3, 6, 8]);
    expect(saved.map(({ step }) => step)).toEqual([4, 8]);
  });

  it.each([
    [1, 2, 2],
    [1, 4, 1],
    [2, 1, 2],
    [2, 2, 1],
  ])('%i lanes of %i batches of %i rows train as 4 rows at once do', async (lanes, count, rows) => {
    const source = (lanes: number, rows: number): BatchSource => ({
      stepsPerEpoch: 4,
      lanes,
      step: async (step) => {
        const all = rowsOf(step, 4);
        const batches = Array.from({ length: 4 / rows }, (_, i) => {
          return textBatch(all.slice(i * rows, (i + 1) * rows), i * rows);
        });
        const size = batches.length / lanes;
        return Array.from({ length: lanes }, (_, lane) => batches.slice(lane * size, (lane + 1) * size));
      },
    });
    const [whole, split] = [
      await tinyStage({ source: source(1, 4) }),
      await tinyStage({ source: source(lanes, rows) }),
    ];
    const [a, b] = [await train(whole), await train(split)];
    expect((await split.source.step(0)).map((lane) => lane.length)).toEqual(Array(lanes).fill(count));
    a.records.forEach((record, i) => {
      expect(Math.abs((b.records[i]?.loss as number) / record.loss - 1)).toBeLessThan(1e-5);
    });
    // Adam divides by the gradient's size, which lets rounding grow where the gradient is near zero.
    expect(maxAbsolute(numbersOf(split.store), numbersOf(whole.store))).toBeLessThan(1e-3);
  });
});

describe('resuming', () => {
  const lora: Lora = {
    r: 2,
    alpha: 4,
    targets: selector(['**.v_proj', '**.down_proj']),
    dropout: { rate: 0.2, seed: 3 },
  };
  const cases: readonly [string, Partial<Stage>][] = [
    ['full training', {}],
    ['LoRA with dropout', { lora, trainable: selector(['**.lora_A.*', '**.lora_B.*']) }],
  ];

  /** The same stage on parameters of its own. */
  const fork = (stage: Stage, store = stage.store): Stage => ({ ...stage, store: copyOf(store) });

  it.each(cases)('%s: from a saved state is the straight run bit for bit', async (_, changes) => {
    const start = await tinyStage({ source: ruleSource(2, 2, 2), ...changes });
    const straight = fork(start);
    const whole = await train(straight);

    const early = fork(start);
    const stop = new AbortController();
    const first = await train(early, {
      signal: stop.signal,
      onStep: async ({ step }) => void (step === 3 && stop.abort()),
    });
    expect(first.outcome.status).toBe('interrupted');
    const state = first.saved.at(-1) as StageState;
    expect(state.step).toBe(3);
    const late = fork(start, early.store);
    const rest = await train(late, {}, state);
    expect([...first.records, ...rest.records]).toEqual(whole.records);
    expect(rest.saved.at(-1)).toEqual(whole.saved.at(-1));
    expect(numbersOf(late.store)).toEqual(numbersOf(straight.store));
  });

  it('saves what is done when a batch cannot be read, and goes on from there', async () => {
    const source = ruleSource(2, 2, 2);
    const start = await tinyStage({ source });
    const straight = fork(start);
    const whole = await train(straight);

    const torn = (step: number) => (step === 3 ? Promise.reject(new Error('torn')) : source.step(step));
    const early = fork({ ...start, source: { ...source, step: torn } });
    const saved: StageState[] = [];
    await expect(train(early, { onSave: (state) => void saved.push(structuredClone(state)) })).rejects.toThrow('torn');
    expect(saved.map(({ step }) => step)).toEqual([3]);
    const late = fork(start, early.store);
    const rest = await train(late, {}, saved[0]);
    expect(rest.records).toEqual(whole.records.slice(3));
    expect(numbersOf(late.store)).toEqual(numbersOf(straight.store));
  });

  it('saves a step whose log cannot be written', async () => {
    const saved: number[] = [];
    const full = async ({ step }: StepRecord) => {
      if (step === 3) throw new Error('full');
    };
    const running = train(await tinyStage(), { onStep: full, onSave: ({ step }) => void saved.push(step) });
    await expect(running).rejects.toThrow('full');
    expect(saved).toEqual([3]);
  });

  it.each(cases)('%s: stopped in the middle of a step, that step is done again', async (_, changes) => {
    const source = ruleSource(2, 2, 2);
    const start = await tinyStage({ source, ...changes });
    const straight = fork(start);
    const whole = await train(straight);

    const stop = new AbortController();
    const early = fork({ ...start, source: stopsDuring(source, 4, stop) });
    const first = await train(early, { signal: stop.signal });
    expect(first.outcome.status).toBe('interrupted');
    expect(first.records).toEqual(whole.records.slice(0, 4));
    const late = fork(start, early.store);
    const rest = await train(late, {}, first.saved.at(-1));
    expect([...first.records, ...rest.records]).toEqual(whole.records);
    expect(rest.saved.at(-1)).toEqual(whole.saved.at(-1));
    expect(numbersOf(late.store)).toEqual(numbersOf(straight.store));
  });

  /** A source with one step whose second batch of a lane stops the run when it is fed: the first has been computed. */
  function stopsDuring(source: BatchSource, at: number, stop: AbortController): BatchSource {
    return {
      ...source,
      async step(step) {
        const lanes = await source.step(step);
        if (step !== at) return lanes;
        const [[first, second], ...others] = lanes as [[Batch, Batch], ...(readonly Batch[])[]];
        const { dtype, shape, data } = second.feeds.get('ids') as Tensor<'int32'>;
        const ids = {
          dtype,
          shape,
          get data() {
            stop.abort();
            return data;
          },
        };
        const stopping = { ...second, feeds: new Map<string, Tensor>([...second.feeds, ['ids', ids]]) };
        return [[first, stopping], ...others];
      },
    };
  }

  it('LoRA with dropout: every batch has masks of its own', async () => {
    const seeds: unknown[] = [];
    const stage = await tinyStage({ source: ruleSource(2, 2, 2), settings: { steps: 3 }, ...cases[1]?.[1] });
    await train(stage, {
      onStep: async (_, batches) => void seeds.push(...batches.map(({ feeds }) => feeds.get('dropoutSeed')?.data[0])),
    });
    expect(new Set(seeds).size).toBe(3 * 4);
  });

  it('a run that was done has nothing left to do', async () => {
    const stage = await tinyStage({ settings: { steps: 2 } });
    const { saved } = await train(stage);
    const before = copyOf(stage.store);
    const again = await train(stage, {}, saved.at(-1));
    expect(again).toMatchObject({ outcome: { status: 'done' }, records: [] });
    expect(numbersOf(stage.store)).toEqual(numbersOf(before));
  });
});

describe('faults', () => {
  it('stops before a parameter is touched when the loss is no number', async () => {
    const stage = await tinyStage();
    (stage.store.tensors.get('model.norm.weight') as Tensor<'float32'>).data[0] = Number.NaN;
    const before = copyOf(stage.store);
    await expect(train(stage)).rejects.toMatchObject({ code: 'train/not-finite', path: 'stage tune, step 1' });
    expect(numbersOf(stage.store)).toEqual(numbersOf(before));
  });

  it('stops when a gradient alone overflows', async () => {
    const stage = await tinyStage({ source: { stepsPerEpoch: 1, lanes: 1, step: async () => [[hugeTargets()]] } });
    await expect(train(stage)).rejects.toMatchObject({ code: 'train/not-finite' });
  });

  /** A batch that says it has next to no targets, so that its loss is scaled beyond float32. */
  const hugeTargets = (): Batch => ({ ...textBatch(rowsOf(0, 2)), units: { token: 1e-45, sample: 1, batch: 1 } });

  it('refuses patterns that select nothing', async () => {
    const stage = await tinyStage({ trainable: selector(['projector.**']) });
    await expect(train(stage)).rejects.toMatchObject({
      code: 'train/nothing-trainable',
      path: 'stages.tune.trainable',
      expected: expect.stringContaining('model.embed_tokens.weight'),
    });
  });

  it('refuses an objective that the model cannot have', async () => {
    const stage = await tinyStage({ objective: objectiveNamed('contrastive') });
    await expect(train(stage)).rejects.toMatchObject({ code: 'model/cannot' });
  });
});

describe('contrastive training', () => {
  /** Images in red, green, blue and black with some noise, and a word for each. */
  function pairs(step: number): Batch {
    const random = new Random(1, 'pairs', step);
    const words = [1, 2, 3, 4];
    const pixels = words.flatMap((word) =>
      Array.from({ length: 3 * 14 * 14 }, (_, i) => (Math.floor(i / 196) === word - 1 ? 1 : 0) + 0.1 * random.normal()),
    );
    const feeds = new Map<string, Tensor>([
      [
        'ids',
        int32(
          [4, 2],
          words.flatMap((word) => [9, word]),
        ),
      ],
      ['endRows', int32([4], [1, 3, 5, 7])],
      ['pixels', float32([4, 3, 14, 14], pixels)],
    ]);
    return { feeds, units: { token: 0, sample: 4, batch: 1 }, rows: 4, tokens: 8 };
  }

  it('learns which image belongs to which text', async () => {
    const stage = await tinyStage({
      ...tinyModel(tinyClip),
      objective: objectiveNamed('contrastive'),
      source: { stepsPerEpoch: 4, lanes: 1, step: async (step) => [[pairs(step)]] },
      settings: { steps: 60, lr: 1e-3 },
    });
    const losses = (await train(stage)).records.map(({ loss }) => loss);
    expect(losses[0]).toBeGreaterThan(1);
    expect(mean(losses.slice(-5))).toBeLessThan(0.1);
  });
});
