import { describe, expect, it } from 'vitest';
import { evaluate } from '../../test/support/evaluate.ts';
import { numbers } from '../../test/support/fixtures.ts';
import { float32, int32 } from '../base/index.ts';
import { Graph, gatherElements, gradients, reshape, tokenLogProb, type Value } from '../graph/index.ts';
import { languageModeling, zLoss } from './index.ts';

describe('the language-model loss', () => {
  it('is the mean of -log p over the targets of the step, whatever their split', async () => {
    const graph = new Graph();
    const loss = languageModeling(graph.input('logProbs', 'float32', ['K']), graph.input('scale', 'float32', []));
    const lossOf = async (probabilities: readonly number[], total: number) => {
      const logProbs = float32([probabilities.length], probabilities.map(Math.log));
      const got = await evaluate(graph, { loss }, { logProbs, scale: float32([], [1 / total]) });
      return numbers(got.get('loss'))[0] as number;
    };
    expect(await lossOf([0.5, 0.25, 1], 3)).toBeCloseTo(Math.LN2, 6);
    expect((await lossOf([0.5], 3)) + (await lossOf([0.25, 1], 3))).toBeCloseTo(Math.LN2, 6);
    expect(await lossOf([1, 1], 2)).toBeCloseTo(0, 9);
  });
});

describe('z-loss', () => {
  const lossOf = async (logits: readonly (readonly number[])[], total: number) => {
    const graph = new Graph();
    const all = graph.input('logits', 'float32', ['K', 3]);
    const ids = graph.input('ids', 'int32', ['K']);
    const chosen = reshape(gatherElements(all, reshape(ids, ['K', 1])), ['K']);
    const loss = zLoss(chosen, tokenLogProb(all, ids), graph.input('scale', 'float32', []));
    const [slope] = gradients(loss, [all]);
    const count = logits.length;
    const feeds = {
      logits: float32([count, 3], logits.flat()),
      ids: int32(
        [count],
        logits.map((_, k) => k % 3),
      ),
    };
    const got = await evaluate(graph, { loss, slope: slope as Value }, { ...feeds, scale: float32([], [1 / total]) });
    return { loss: numbers(got.get('loss'))[0] as number, slope: numbers(got.get('slope')) };
  };

  it('is the mean of (log Z)^2, whichever token is right, and pulls each logit by 2 log Z times its probability', async () => {
    const e = (p: readonly number[], by: number) => p.map((x) => Math.log(x) + by);
    // Probabilities moved by log Z: here 2 and -1.
    const p = [0.5, 0.25, 0.25];
    const { loss, slope } = await lossOf([e(p, 2), e(p, -1)], 2);
    expect(loss).toBeCloseTo((4 + 1) / 2, 5);
    [2, -1].flatMap((z) => p.map((x) => z * x)).forEach((x, i) => void expect(slope[i]).toBeCloseTo(x, 5));
  });

  it('is 0, and pulls at nothing, where logits are log-probabilities', async () => {
    const { loss, slope } = await lossOf([[0.5, 0.25, 0.25].map(Math.log)], 1);
    expect(loss).toBeCloseTo(0, 9);
    for (const x of slope) expect(x).toBeCloseTo(0, 6);
  });
});
