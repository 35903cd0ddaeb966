import { describe, expect, it } from 'vitest';
import { evaluate, sharedEngine } from '../../../test/support/evaluate.ts';
import { fixture, fixtureTensors, numbers } from '../../../test/support/fixtures.ts';
import { expectLoss } from '../../../test/support/parity.ts';
import { copyOf, numbersOf, type Trained, train } from '../../../test/support/stages.ts';
import { float32, Random, selector, type Tensor } from '../../base/index.ts';
import { loadModel, modelFromConfig } from '../../models/index.ts';
import { fromFileName } from '../../models/weights/layouts.ts';
import { allocateStore, type ParameterSpec, type ParameterStore, zerosInit } from '../../nn/index.ts';
import type { Stage } from '../loop.ts';
import { isKeptByObjective, isOwnOfObjective } from '../objective.ts';
import { traceProgram } from '../program.ts';
import { objectiveNamed } from './index.ts';

const name = 'vector-quantization';
const batch = (images: number, random: Random) =>
  float32(
    [images, 3, 6, 6],
    Array.from({ length: images * 108 }, () => random.normal()),
  );

describe.each([
  ['released', { commitment: 1, codebook: 0.25 }],
  ['paper', {}],
] as const)('against PyTorch and the code book of transformers, weights as %s', (form, options) => {
  it('gives the loss and every gradient, straight through the codes', async () => {
    const loaded = loadModel(fixture('chameleon/painter'));
    const expected = fixtureTensors('chameleon/painter/training.safetensors');
    const objective = objectiveNamed(name, options);
    const wanted = [...loaded.store.specs.keys()].filter((path) => path.startsWith('vqmodel.'));
    const { graph, outputs, specs } = traceProgram({ model: loaded.model, objective, trained: wanted }, ['pixels']);
    const pixels = expected.get('pixels') as Tensor;
    const feeds = new Map<string, Tensor>([
      ...loaded.store.tensors,
      ['pixels', pixels],
      ['share.sample', float32([], [1 / (pixels.shape[0] as number)])],
    ]);
    const got = await evaluate(graph, outputs, feeds);
    expect(numbers(got.get('seen.codes'))).toEqual(numbers(expected.get('codes')));
    expectLoss(numbers(got.get('loss'))[0] as number, expected.get(`${form}.loss`));
    expectLoss(numbers(got.get('metric.reconstruction'))[0] as number, expected.get(`${form}.reconstruction`));
    let compared = 0;
    for (const [key, norm] of expected) {
      if (!key.startsWith(`${form}.norm.`)) continue;
      const stored = key.slice(`${form}.norm.`.length);
      const values = numbers(got.get(`gradient.${fromFileName(loaded.layout, stored)}`));
      const length = numbers(norm)[0] as number;
      // What norms of single channels take away is only rounding.
      const room = Math.max(1e-4 * length, 1e-7);
      expect(Math.abs(Math.hypot(...values) - length), stored).toBeLessThan(room);
      for (const [i, want] of numbers(expected.get(`${form}.grad.${stored}`)).entries())
        expect(Math.abs((values[i] as number) - want), stored).toBeLessThan(room);
      compared++;
    }
    expect(compared).toBe(wanted.length);
    expect([...specs.keys()].filter(isOwnOfObjective)).toEqual(['objective.kept.unused']);
  });
});

describe('care for dead codes', () => {
  const loaded = loadModel(fixture('chameleon/painter'));
  const json = { ...loaded.model.json };

  /** A stage whose codes but one are out of reach of everything. */
  async function deadStage(patience: number): Promise<Stage> {
    const model = modelFromConfig(json);
    const own = { path: 'objective.kept.unused', shape: [30], init: zerosInit };
    const specs = new Map<string, ParameterSpec>([...loaded.store.specs, [own.path, own]]);
    const store = allocateStore(specs);
    for (const [path, { data }] of loaded.store.tensors) store.tensors.get(path)?.data.set(data);
    const book = store.tensors.get(model.quantizer?.book as string) as Tensor<'float32'>;
    for (let at = book.shape[1] as number; at < book.data.length; at++) book.data[at] = 50 + at;
    return {
      name: 'tokenize',
      engine: await sharedEngine(),
      model,
      store,
      objective: objectiveNamed(name, { patience }),
      trainable: (path) => selector(['vqmodel.**'])(path) && !isKeptByObjective(path),
      source: {
        stepsPerEpoch: 4,
        lanes: 2,
        step: async (step) =>
          [0, 1].map((lane) => [
            {
              feeds: new Map([['pixels', batch(3, new Random(4, step, lane))]]),
              units: { token: 0, sample: 3, batch: 1 },
              rows: 3,
              tokens: 0,
            },
          ]),
      },
      settings: {
        steps: 6,
        lr: 1e-3,
        lrFor: [],
        betas: [0.9, 0.999],
        eps: 1e-8,
        weightDecay: 0.1,
        schedule: 'constant',
        warmupRatio: 0,
        clip: 1,
        saveEvery: 0,
        evalEvery: 0,
        logEvery: 1,
      },
    };
  }

  const used = ({ records }: Trained) => records.map(({ metrics }) => metrics?.codes_used);

  it('brings codes into use that nothing would have chosen', async () => {
    const without = await train(await deadStage(0));
    expect(used(without).every((n) => n === undefined)).toBe(true);
    const cared = await train(await deadStage(2));
    expect(used(cared).slice(0, 2)).toEqual([1, 1]);
    expect(cared.records[1]?.metrics?.codes_restarted).toBe(29);
    expect(used(cared).at(-1)).toBeGreaterThan(8);
    const at = (trained: Trained, step: number) => trained.records[step]?.metrics?.reconstruction as number;
    expect(at(cared, 0)).toBe(at(without, 0));
  });

  it('goes on from a checkpoint to the same bytes: how long codes have waited stands in it', async () => {
    const straight = await deadStage(3);
    const all = await train(straight);
    const broken = await deadStage(3);
    const stop = new AbortController();
    let half: ParameterStore | undefined;
    const begun = await train(broken, {
      signal: stop.signal,
      onStep: async ({ step }) => void (step === 2 && stop.abort()),
      onSave: () => {
        half = copyOf(broken.store);
      },
    });
    expect(begun.outcome.status).toBe('interrupted');
    expect(numbers(half?.tensors.get('objective.kept.unused')).filter((age) => age === 2).length).toBeGreaterThan(20);
    const rest = await train({ ...broken, store: half as ParameterStore }, {}, begun.saved.at(-1));
    expect([...begun.records, ...rest.records]).toEqual(all.records);
    expect(numbersOf(half as ParameterStore)).toEqual(numbersOf(straight.store));
  });

  it('leaves a code book alone that the stage does not train', async () => {
    const stage = await deadStage(1);
    const book = stage.model.quantizer?.book as string;
    const before = numbers(stage.store.tensors.get(book));
    const { records } = await train({ ...stage, trainable: (path) => stage.trainable(path) && path !== book });
    expect(records.every(({ metrics }) => metrics?.codes_restarted === 0)).toBe(true);
    expect(numbers(stage.store.tensors.get(book))).toEqual(before);
  });
});
