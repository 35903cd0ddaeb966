import { describe, expect, it } from 'vitest';
import { evaluate } from '../../test/support/evaluate.ts';
import { numbers } from '../../test/support/fixtures.ts';
import { float32, int32, type Tensor } from '../base/index.ts';
import { Graph, type Value } from '../graph/index.ts';
import { bestQuery, hardNegatives, isOther, matching, pairContrast, smoothedCrossEntropy } from './index.ts';

/** What a function of some tensors gives. */
async function resultOf(make: (...inputs: Value[]) => Value, ...feeds: Tensor[]): Promise<number[]> {
  const graph = new Graph();
  const inputs = feeds.map(({ dtype, shape }, i) => graph.input(`x${i}`, dtype, shape));
  const got = await evaluate(graph, { out: make(...inputs) }, Object.fromEntries(feeds.map((t, i) => [`x${i}`, t])));
  return numbers(got.get('out'));
}

const column = (...values: number[]) => float32([values.length], values);

it('an image is as near to a text as its best query', async () => {
  const image = float32([2, 2, 2], [1, 0, 0, 1, 0.6, 0.8, -1, 0]);
  expect(await resultOf(bestQuery, image, float32([2, 2], [1, 0, 0, 1]))).toEqual([
    1,
    1,
    expect.closeTo(0.6),
    expect.closeTo(0.8),
  ]);
});

describe('smoothed cross-entropy', () => {
  const of = (smoothing: number) =>
    resultOf(
      (logits, ids) => smoothedCrossEntropy(logits, ids, smoothing),
      float32([1, 2], [Math.log(3), 0]),
      int32([1], [0]),
    );

  it('is that of the label without smoothing, and of all classes alike when all is spread', async () => {
    // The classes have the probabilities 3/4 and 1/4.
    expect((await of(0))[0]).toBeCloseTo(-Math.log(0.75), 6);
    expect((await of(1))[0]).toBeCloseTo(-(Math.log(0.75) + Math.log(0.25)) / 2, 6);
    expect((await of(0.1))[0]).toBeCloseTo(-0.95 * Math.log(0.75) - 0.05 * Math.log(0.25), 6);
  });

  it('of pairs is log B where nothing is told apart', async () => {
    const alike = float32([3, 3], Array(9).fill(2));
    expect((await resultOf((s) => pairContrast(s, 0.1), alike))[0]).toBeCloseTo(Math.log(3), 6);
  });
});

describe('hard negatives', () => {
  it('are drawn by their likeness, and never the pair itself', async () => {
    // Row 0 has others of the weights 3/5 and 1/5: the first of them up to three quarters of the way.
    const row = [Math.log(1), Math.log(3), Math.log(1)];
    const similarity = float32([3, 3], [...row, ...row, ...row]);
    const at = (draw: number) => resultOf(hardNegatives, similarity, column(draw, draw, draw));
    expect(await at(0)).toEqual([1, 0, 0]);
    expect((await at(0.74))[0]).toBe(1);
    expect((await at(0.76))[0]).toBe(2);
    expect((await at(0.49))[1]).toBe(0);
    expect((await at(0.51))[1]).toBe(2);
    expect(await at(1 - 2 ** -16)).toEqual([2, 2, 1]);
  });

  it('are drawn a little where nothing is like the pair', async () => {
    const similarity = float32([3, 3], [1e3, 0, 0, 0, 1e3, 0, 0, 0, 1e3]);
    expect(await resultOf(hardNegatives, similarity, column(0.4, 0.6, 0.6))).toEqual([1, 2, 1]);
  });

  it('of a batch of one are the pair itself, which is told', async () => {
    expect(await resultOf(hardNegatives, float32([1, 1], [2]), column(0.5))).toEqual([0]);
    const other = (similarity: Value, draws: Value) => isOther(hardNegatives(similarity, draws));
    expect(await resultOf(other, float32([1, 1], [2]), column(0.5))).toEqual([0]);
    expect(await resultOf(other, float32([2, 2], [2, 0, 0, 2]), column(0.5, 0.5))).toEqual([1, 1]);
  });
});

it('matching counts no pair that says nothing', async () => {
  const logits = float32([2, 2], [0, Math.log(3), 5, 0]);
  const labels = int32([2], [1, 1]);
  expect((await resultOf(matching, logits, labels, column(1, 0)))[0]).toBeCloseTo(-Math.log(0.75), 6);
});
