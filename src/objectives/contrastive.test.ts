import { describe, expect, it } from 'vitest';
import { checkOp } from '../../test/support/check-op.ts';
import { evaluate } from '../../test/support/evaluate.ts';
import { numbers } from '../../test/support/fixtures.ts';
import { float32 } from '../base/index.ts';
import { Graph, type Value } from '../graph/index.ts';
import { contrastive } from './index.ts';

describe('the contrastive loss', () => {
  const unit = (angles: readonly number[]) => angles.flatMap((angle) => [Math.cos(angle), Math.sin(angle)]);

  async function lossOf(image: readonly number[], text: readonly number[], logScale: number): Promise<number> {
    const graph = new Graph();
    const pairs = (name: string) => graph.input(name, 'float32', ['B', 2]);
    const loss = contrastive(pairs('image'), pairs('text'), graph.input('scale', 'float32', []));
    const feeds = {
      image: float32([image.length / 2, 2], image),
      text: float32([text.length / 2, 2], text),
      scale: float32([], [logScale]),
    };
    return numbers((await evaluate(graph, { loss }, feeds)).get('loss'))[0] as number;
  }

  it('is log 2 for two pairs that cannot be told apart', async () => {
    expect(await lossOf([1, 0, 1, 0], [1, 0, 1, 0], 3)).toBeCloseTo(Math.LN2, 6);
  });

  it('is softplus(-scale) for two pairs at right angles', async () => {
    // Each row has the logits (e^s, 0), the first being right.
    const expected = Math.log(1 + Math.exp(-Math.exp(0.5)));
    expect(await lossOf([1, 0, 0, 1], [1, 0, 0, 1], 0.5)).toBeCloseTo(expected, 6);
  });

  it('goes to zero for pairs that agree and rises for pairs that are swapped', async () => {
    expect(await lossOf([1, 0, 0, 1], [1, 0, 0, 1], 4)).toBeLessThan(1e-6);
    expect(await lossOf([1, 0, 0, 1], [0, 1, 1, 0], 4)).toBeCloseTo(Math.exp(4), 3);
  });

  it('looks both ways: from images to texts and back', async () => {
    // Both images have the logits (1, 0); the texts have (1, 1) and (0, 0).
    const expected = (Math.log(Math.E + 1) - 0.5 + Math.LN2) / 2;
    expect(await lossOf([1, 0, 1, 0], [1, 0, 0, 1], 0)).toBeCloseTo(expected, 6);
  });

  it('is zero for a single pair', async () => {
    expect(await lossOf([1, 0], [0, 1], 2)).toBeCloseTo(0, 9);
  });

  it('has its derivative for images, texts and temperature', () =>
    checkOp('contrastive', {
      inputs: {
        image: float32([3, 2], unit([0.1, 1.3, 2.9])),
        text: float32([3, 2], unit([0.4, 0.9, 3.5])),
        scale: float32([], [1.1]),
      },
      wrt: ['image', 'text', 'scale'],
      symbolic: ['image', 'text'],
      build: ({ image, text, scale }) => contrastive(image as Value, text as Value, scale as Value),
    }));
});
