import { describe, expect, it } from 'vitest';
import { maxRelative } from '../../../test/support/compare.ts';
import { sharedEngine } from '../../../test/support/evaluate.ts';
import { fixtureJson, fixtureTensors } from '../../../test/support/fixtures.ts';
import { answer, pairBatch, pairProgram, tokenLogProbs } from '../../../test/support/pairs.ts';
import { copyOf, tinyLlama, tinyModel } from '../../../test/support/stages.ts';
import type { Tensor } from '../../base/index.ts';
import type { Example } from '../../data/index.ts';
import type { ConfigJson } from '../../models/index.ts';
import { fillStore } from '../../nn/index.ts';
import { allocateGradients } from '../gradients.ts';
import { LossProgram } from '../program.ts';
import { objectiveNamed } from './index.ts';

const pairs: readonly (readonly [Example, Example])[] = [
  [answer([1, 4, 7], [3, 9, 12, 2]), answer([1, 4, 7], [5, 2])],
  [answer([1, 8], [6, 2]), answer([1, 8], [11, 13, 6, 17, 2])],
];
const totals = { token: 13, sample: 2, batch: 1 };
const beta = 0.3;

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const softplus = (x: number) => Math.log1p(Math.exp(x));

async function open(reference = true) {
  return pairProgram(tinyLlama, objectiveNamed('dpo', { beta }), !reference);
}

/** Log-ratios of both answers of each pair, token by token with another objective. */
async function ratiosOf({ model, store, reference }: Awaited<ReturnType<typeof open>>) {
  const ratio = async (row: Example) =>
    sum(await tokenLogProbs(model, store, row)) - sum(await tokenLogProbs(model, reference, row));
  const found: [number, number][] = [];
  for (const [chosen, rejected] of pairs) found.push([await ratio(chosen), await ratio(rejected)]);
  return found;
}

/** The mean of `exp(r) - 1 - r` over the tokens of all answers. */
async function divergence({ model, store, reference }: Awaited<ReturnType<typeof open>>): Promise<number> {
  const found: number[] = [];
  for (const row of pairs.flat()) {
    const [own, other] = [await tokenLogProbs(model, store, row), await tokenLogProbs(model, reference, row)];
    found.push(...own.map((value, i) => Math.expm1(value - (other[i] as number)) - value + (other[i] as number)));
  }
  return sum(found) / found.length;
}

describe('dpo', () => {
  it('is the formula on log-probabilities that were summed token by token, and tells its rewards', async () => {
    const opened = await open();
    const ratios = await ratiosOf(opened);
    const { loss, metrics } = await opened.program.run(pairBatch(opened.objective, pairs.flat()), totals);
    const margins = ratios.map(([chosen, rejected]) => chosen - rejected);
    expect(margins.every((margin) => Math.abs(margin) > 1e-3)).toBe(true);
    expect(loss).toBeCloseTo(sum(margins.map((margin) => softplus(-beta * margin))) / 2, 5);
    expect(metrics.reward_chosen).toBeCloseTo((beta * sum(ratios.map(([chosen]) => chosen))) / 2, 5);
    expect(metrics.reward_rejected).toBeCloseTo((beta * sum(ratios.map(([, rejected]) => rejected))) / 2, 5);
    expect(metrics.reward_margin).toBeCloseTo((beta * sum(margins)) / 2, 5);
    expect(metrics.reward_accuracy).toBe(margins.filter((margin) => margin > 0).length / 2);
    expect(metrics).toMatchObject({ tokens_chosen: 3, tokens_rejected: 3.5 });
    expect(metrics.log_ratio_chosen).toBeCloseTo(sum(ratios.map(([chosen]) => chosen)) / 2, 5);
    expect(metrics.log_ratio_rejected).toBeCloseTo(sum(ratios.map(([, rejected]) => rejected)) / 2, 5);
    expect(metrics.kl).toBeCloseTo(await divergence(opened), 5);
    await opened.program.dispose();
  });

  it('is the same however a batch is padded or split', async () => {
    const { objective, program, gradients } = await open();
    const whole = await program.run(pairBatch(objective, pairs.flat()), totals, { into: gradients });
    const gradient = gradients.flat.slice();
    const wide = await program.run(pairBatch(objective, pairs.flat(), { width: 14 }), totals, { into: gradients });
    expect(wide.loss).toBeCloseTo(whole.loss, 6);
    expect(maxRelative(gradients.flat, gradient)).toBeLessThan(1e-5);
    const parts = new Float64Array(gradient.length);
    let loss = 0;
    for (const pair of pairs) {
      loss += (await program.run(pairBatch(objective, pair), totals, { into: gradients })).loss;
      gradients.flat.forEach((value, i) => {
        parts[i] = (parts[i] as number) + value;
      });
    }
    expect(loss).toBeCloseTo(whole.loss, 6);
    expect(maxRelative(Float32Array.from(parts), gradient)).toBeLessThan(1e-5);
    await program.dispose();
  });

  it('is log 2 beside itself, and has no gradient where both answers are the same', async () => {
    const { objective, program, gradients } = await open(false);
    const { loss, metrics } = await program.run(pairBatch(objective, pairs.flat()), totals, { into: gradients });
    expect(loss).toBeCloseTo(Math.LN2, 6);
    expect(metrics).toMatchObject({ kl: 0, log_ratio_chosen: 0, log_ratio_rejected: 0 });
    expect(gradients.flat.some((value) => Math.abs(value) > 1e-3)).toBe(true);
    const same = pairs.flatMap(([chosen]) => [chosen, chosen]);
    await program.run(pairBatch(objective, same), totals, { into: gradients });
    expect(gradients.flat.every((value) => Math.abs(value) < 1e-7)).toBe(true);
    await program.dispose();
  });

  it('has the loss, the rewards and every gradient of TRL', async () => {
    const expected = fixtureJson('preference/case.json') as {
      readonly config: ConfigJson;
      readonly beta: number;
      readonly pairs: readonly Readonly<Record<'prompt' | 'chosen' | 'rejected', number[]>>[];
      readonly loss: number;
      readonly metrics: Readonly<Record<string, number>>;
    };
    const weights = (of: string) => fixtureTensors(`preference/${of}.safetensors`) as Map<string, Tensor<'float32'>>;
    const { model, store } = tinyModel(expected.config);
    const reference = copyOf(store);
    fillStore(store, weights('policy'));
    fillStore(reference, weights('reference'));
    const gradients = allocateGradients(store, () => true);
    const objective = objectiveNamed('dpo', { beta: expected.beta });
    const trained = [...gradients.tensors.keys()];
    const program = new LossProgram({ engine: await sharedEngine(), model, store, objective, reference, trained });
    const rows = expected.pairs.flatMap(({ prompt, chosen, rejected }) => [
      answer(prompt, chosen),
      answer(prompt, rejected),
    ]);
    const { loss, metrics } = await program.run(
      pairBatch(objective, rows),
      { token: 1, sample: expected.pairs.length, batch: 1 },
      { into: gradients },
    );
    expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(1e-5);
    for (const [ours, theirs] of [
      ['reward_chosen', 'rewards/chosen'],
      ['reward_rejected', 'rewards/rejected'],
      ['reward_margin', 'rewards/margins'],
      ['reward_accuracy', 'rewards/accuracies'],
    ] as const) {
      expect(Math.abs((metrics[ours] as number) / (expected.metrics[theirs] as number) - 1), ours).toBeLessThan(1e-5);
    }
    for (const [path, gradient] of weights('gradients')) {
      const own = gradients.tensors.get(path)?.data as Float32Array;
      expect(maxRelative(own, gradient.data), path).toBeLessThan(1e-5);
    }
    await program.dispose();
  });
});
