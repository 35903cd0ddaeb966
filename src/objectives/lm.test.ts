import { describe, expect, it } from 'vitest';
import { evaluate } from '../../test/support/evaluate.ts';
import { numbers } from '../../test/support/fixtures.ts';
import { float32 } from '../base/index.ts';
import { Graph } from '../graph/index.ts';
import { languageModeling } from './index.ts';

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
