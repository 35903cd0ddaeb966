import { describe, expect, it } from 'vitest';
import { evaluate } from '../../../test/support/evaluate.ts';
import { numbers } from '../../../test/support/fixtures.ts';
import { elementCount, float32, full, int32 } from '../../base/index.ts';
import { dropout, Graph, gradients, reduceSum } from '../index.ts';

const RATE = 0.25;
const [B, T, C] = [4, 32, 256];

interface Draw {
  readonly seed?: number;
  readonly salt?: number;
  readonly rate?: number;
  readonly shape?: readonly number[];
  readonly backend?: 'c-api' | 'binding';
}

/** What dropout leaves of a tensor of ones, in a graph whose sizes are symbolic, and the gradient of its sum. */
async function draw({ seed = 1, salt = 7, rate = RATE, shape = [B, T, C], backend = 'c-api' }: Draw) {
  const graph = new Graph();
  const x = graph.input('x', 'float32', ['B', 'T', C]);
  const y = dropout(x, graph.input('seed', 'int32', []), salt, rate);
  const [dx] = gradients(reduceSum(y), [x]);
  const feeds = { x: full('float32', shape, 1), seed: int32([], [seed]) };
  const got = await evaluate(graph, { y, dx: dx as typeof y }, feeds, { backend });
  return { y: numbers(got.get('y')), dx: numbers(got.get('dx')) };
}

/** Standard deviations by which a count of draws misses its expectation. */
function deviation(count: number, draws: number, p: number): number {
  return Math.abs(count - draws * p) / Math.sqrt(draws * p * (1 - p));
}

function count(n: number, test: (i: number) => boolean): number {
  let total = 0;
  for (let i = 0; i < n; i++) if (test(i)) total++;
  return total;
}

const size = elementCount([B, T, C]);

describe('dropout', () => {
  it.each([0.05, 0.25, 0.5])('drops the share %f', async (rate) => {
    const { y } = await draw({ rate });
    expect(new Set(y)).toEqual(new Set([0, 1]));
    expect(
      deviation(
        count(size, (i) => y[i] === 0),
        size,
        rate,
      ),
    ).toBeLessThan(4);
  });

  it('passes the gradient where it passed the value', async () => {
    const { y, dx } = await draw({});
    expect(dx).toEqual(y);
  });

  it('is the same for the same seed on both back ends, and another for another seed or use', async () => {
    const { y } = await draw({ seed: 5 });
    expect((await draw({ seed: 5, backend: 'binding' })).y).toEqual(y);
    for (const other of [await draw({ seed: 6 }), await draw({ seed: 5, salt: 8 }), await draw({ seed: -5 })]) {
      const both = count(size, (i) => y[i] === 0 && other.y[i] === 0);
      expect(deviation(both, size, RATE ** 2)).toBeLessThan(4);
    }
  });

  it('drops neighbours, rows and columns independently', async () => {
    const { y } = await draw({ seed: 3 });
    const dropped = (i: number) => y[i] === 0;
    for (const gap of [1, 2, C, C + 1, 2 * C]) {
      const both = count(size - gap, (i) => dropped(i) && dropped(i + gap));
      expect(deviation(both, size - gap, RATE ** 2), `${gap} apart`).toBeLessThan(4);
    }
    // Row and column are hashed apart: the corners of a rectangle must not determine one another.
    const corners = (i: number) => [i, i + 1, i + C, i + C + 1].filter(dropped).length;
    const odd = (1 - (1 - 2 * RATE) ** 4) / 2;
    const starts = size - C - 1;
    expect(
      deviation(
        count(starts, (i) => corners(i) % 2 === 1),
        starts,
        odd,
      ),
    ).toBeLessThan(4);
  });

  it('depends on the place in the batch alone: a shorter batch has the same first rows', async () => {
    const { y } = await draw({});
    const short = await draw({ shape: [1, T, C] });
    expect(short.y).toEqual(y.slice(0, T * C));
  });

  it('leaves what it keeps as it is', async () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [1, 4]);
    const y = dropout(x, graph.input('seed', 'int32', []), 0, 0.5);
    const values = [0.1, -2, 3e30, -1e-30];
    const got = await evaluate(graph, { y }, { x: float32([1, 4], values), seed: int32([], [4]) });
    const kept = numbers(got.get('y')).map((v, i) => v === 0 || v === Math.fround(values[i] as number));
    expect(kept).toEqual([true, true, true, true]);
  });
});
