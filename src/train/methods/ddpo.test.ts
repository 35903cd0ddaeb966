import { describe, expect, it } from 'vitest';
import { sharedEngine } from '../../../test/support/evaluate.ts';
import { answer, pairBatch, policyAndReference, tokenLogProbs } from '../../../test/support/pairs.ts';
import { tinyLlama } from '../../../test/support/stages.ts';
import { LossProgram } from '../program.ts';
import { objectiveNamed } from './index.ts';

const chosen = answer([1, 4, 7, 9], [3, 9, 12, 5, 15, 16, 17, 2]);
const rejected = answer([1, 4, 7, 9], [3, 9, 12, 6, 8, 15, 16, 17, 2]);
/** The tokens in which they differ, counted from the first of the answer. */
const changed = { chosen: [3], rejected: [3, 4] };
const totals = { token: 1, sample: 1, batch: 1 };

const weightedSum = (values: readonly number[], at: readonly number[], gamma: number) =>
  values.reduce((sum, value, i) => sum + (at.includes(i) ? gamma : 1) * value, 0);

describe('ddpo', () => {
  it.each([
    ['the paper', {}, 0.5, 5, true],
    ['the released code', { beta: 0.1, gamma: 1.1, average: false }, 0.1, 1.1, false],
  ])('weighs changed tokens for policy and reference as %s does', async (_, options, beta, gamma, average) => {
    const { model, store, reference } = policyAndReference(tinyLlama);
    const objective = objectiveNamed('ddpo', options);
    const program = new LossProgram({ engine: await sharedEngine(), model, store, objective, reference });
    const { loss } = await program.run(pairBatch(objective, [chosen, rejected]), totals);
    const ratio = async (row: typeof chosen, at: readonly number[]) => {
      const [own, other] = [await tokenLogProbs(model, store, row), await tokenLogProbs(model, reference, row)];
      const sum = weightedSum(own, at, gamma) - weightedSum(other, at, gamma);
      return average ? sum / weightedSum(Array(own.length).fill(1), at, gamma) : sum;
    };
    const margin = (await ratio(chosen, changed.chosen)) - (await ratio(rejected, changed.rejected));
    expect(Math.abs(margin)).toBeGreaterThan(1e-3);
    expect(loss).toBeCloseTo(Math.log1p(Math.exp(-beta * margin)), 5);
    await program.dispose();
  });

  it('is dpo where a changed token weighs no more and nothing is averaged', async () => {
    const { model, store, reference } = policyAndReference(tinyLlama);
    const lossOf = async (name: string, options: Record<string, number | boolean>) => {
      const objective = objectiveNamed(name, options);
      const program = new LossProgram({ engine: await sharedEngine(), model, store, objective, reference });
      const { loss } = await program.run(pairBatch(objective, [chosen, rejected]), totals);
      await program.dispose();
      return loss;
    };
    const plain = await lossOf('ddpo', { beta: 0.2, gamma: 1, average: false });
    expect(plain).toBeCloseTo(await lossOf('dpo', { beta: 0.2 }), 6);
  });
});
