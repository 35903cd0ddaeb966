import { describe, expect, it } from 'vitest';
import { checkOp } from '../../test/support/check-op.ts';
import { evaluate } from '../../test/support/evaluate.ts';
import { numbers } from '../../test/support/fixtures.ts';
import { float32, int32 } from '../base/index.ts';
import { Graph, type Value } from '../graph/index.ts';
import { denseLabels } from './index.ts';

/** Two questions of two classes about two patches of one image; the second question counts for a tenth. */
const weights = [1, 0.1];

async function lossOf(logits: readonly number[], labels: readonly number[]): Promise<number> {
  const graph = new Graph();
  const loss = denseLabels(graph.input('logits', 'float32', ['B', 2, 4]), graph.input('labels', 'int32', ['B', 4]), [
    ...weights,
  ]);
  const feeds = { logits: float32([1, 2, 4], logits), labels: int32([1, 4], labels) };
  return numbers((await evaluate(graph, { loss }, feeds)).get('loss'))[0] as number;
}

describe('the loss of labels of patches', () => {
  it('is log 2 for each question, by its weight, where nothing is known', async () => {
    expect(await lossOf([0, 0, 0, 0, 0, 0, 0, 0], [0, 1, 1, 0])).toBeCloseTo(1.1 * Math.LN2, 6);
  });

  it('takes for each patch and question its own classes and label', async () => {
    // Of four answers one is wrong by a margin of 3: the first patch's second question.
    const logits = [9, 0, 3, 0, 0, 9, 0, 9];
    const right = Math.log(1 + Math.exp(-9));
    const wrong = Math.log(1 + Math.exp(3));
    expect(await lossOf(logits, [0, 1, 1, 1])).toBeCloseTo(right + 0.1 * ((wrong + right) / 2), 6);
  });

  it('has its derivative', () =>
    checkOp('dense labels', {
      inputs: {
        logits: float32(
          [2, 2, 6],
          [...'abcdefghijklmnopqrstuvwx'].map((_, i) => Math.sin(3 * i)),
        ),
        labels: int32([2, 4], [0, 2, 1, 1, 2, 0, 0, 1]),
      },
      wrt: ['logits'],
      symbolic: ['logits', 'labels'],
      build: ({ logits, labels }) => denseLabels(logits as Value, labels as Value, weights),
    }));
});
