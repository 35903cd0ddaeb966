import { describe, expect, it } from 'vitest';
import { checkOp } from '../../test/support/check-op.ts';
import { maxAbsolute } from '../../test/support/compare.ts';
import { compile, evaluate } from '../../test/support/evaluate.ts';
import { numbers } from '../../test/support/fixtures.ts';
import { evaluateDim, float32, int32, Random, type Tensor } from '../base/index.ts';
import { Graph, gradients, mul, reduceSum, type Value } from '../graph/index.ts';
import { attention, causalBias, causalBlocks, keyBias } from './attention.ts';

const random = new Random(9, 'attention');
const randomTensor = (...shape: number[]) =>
  float32(
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
  );

interface Sizes {
  readonly b: number;
  readonly t: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly size: number;
}

/** The definition, one query at a time. */
function byHand(q: Tensor, k: Tensor, v: Tensor, { b, t, heads, kvHeads, size }: Sizes, causal: boolean): number[] {
  const [query, key, value] = [q, k, v].map((x) => numbers(x)) as [number[], number[], number[]];
  const out = new Array<number>(b * t * heads * size).fill(0);
  for (let n = 0; n < b; n++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < t; i++) {
        const at = (row: number, head: number, count: number) => ((n * t + row) * count + head) * size;
        const shared = Math.floor(h / (heads / kvHeads));
        const seen = Array.from({ length: causal ? i + 1 : t }, (_, j) => j);
        const scores = seen.map((j) => {
          let dot = 0;
          for (let d = 0; d < size; d++) {
            dot += (query[at(i, h, heads) + d] as number) * (key[at(j, shared, kvHeads) + d] as number);
          }
          return Math.exp(dot / Math.sqrt(size));
        });
        const total = scores.reduce((x, y) => x + y, 0);
        for (const j of seen)
          for (let d = 0; d < size; d++) {
            const place = at(i, h, heads) + d;
            const weight = (scores[j] as number) / total;
            out[place] = (out[place] as number) + weight * (value[at(j, shared, kvHeads) + d] as number);
          }
      }
  return out;
}

describe('attention', () => {
  it.each([
    { heads: 4, kvHeads: 4, causal: true },
    { heads: 4, kvHeads: 2, causal: true },
    { heads: 6, kvHeads: 1, causal: false },
  ])('of $heads query heads over $kvHeads key heads, causal $causal', async ({ heads, kvHeads, causal }) => {
    const sizes = { b: 2, t: 5, heads, kvHeads, size: 3 };
    const q = randomTensor(2, 5, heads * 3);
    const [k, v] = [randomTensor(2, 5, kvHeads * 3), randomTensor(2, 5, kvHeads * 3)];
    const output = byHand(q, k, v, sizes, causal);
    const build = (values: Readonly<Record<string, Value>>) => {
      const bias = causal && { bias: causalBias((values.q as Value).node.graph, 5) };
      return attention(values.q as Value, values.k as Value, values.v as Value, { heads, kvHeads, ...bias });
    };
    await checkOp('attention', {
      inputs: { q, k, v },
      wrt: ['q', 'k', 'v'],
      symbolic: ['q', 'k', 'v'],
      build,
      // Gradients are held against differences; the definition gives the output.
      expected: { output, cotangent: output.map((_, i) => Math.cos(i)), grads: {} },
    });
  });

  it.each([
    { heads: 4, kvHeads: 4 },
    { heads: 4, kvHeads: 2 },
  ])('in causal blocks, $heads heads over $kvHeads, gives what it gives in one', async ({ heads, kvHeads }) => {
    const program = async (blocks: number) => {
      const graph = new Graph();
      const [q, k, v] = ['q', 'k', 'v'].map((name, i) =>
        graph.input(name, 'float32', ['B', 'T', (i === 0 ? heads : kvHeads) * 3]),
      ) as [Value, Value, Value];
      const y = attention(q, k, v, { heads, kvHeads, blocks: causalBlocks(graph, 'T', blocks) });
      const found = gradients(reduceSum(mul(y, q)), [q, k, v]);
      return compile(graph, new Map([y, ...found].map((value, i) => [`y${i}`, value as Value])));
    };
    const [one, four] = [await program(1), await program(4)];
    // Below four positions some blocks are empty.
    for (const t of [1, 2, 3, 4, 7, 12]) {
      const shapes = [heads, kvHeads, kvHeads].map((n) => [2, t, n * 3]);
      const feeds = new Map(['q', 'k', 'v'].map((name, i) => [name, randomTensor(...(shapes[i] as number[]))]));
      const [expected, got] = [await one.run(feeds), await four.run(feeds)];
      for (const [name, value] of expected) {
        expect(maxAbsolute(numbers(got.get(name)), numbers(value)), `${name} of ${t}`).toBeLessThan(1e-5);
      }
    }
    for (const { dispose } of [one, four]) dispose();
  });

  it('computes as many scores as causality leaves to blocks', () => {
    const blocks = causalBlocks(new Graph(), 'T', 4);
    const at = new Map([['T', 15]]);
    const sizes = blocks.map(({ bias }) => bias.shape.map((d) => evaluateDim(d, at)));
    expect(sizes).toEqual([
      [3, 3],
      [3, 6],
      [3, 9],
      [6, 15],
    ]);
  });

  it('takes another scale', async () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', ['B', 'T', 4]);
    const y = attention(x, x, x, { heads: 2, scale: 0 });
    const data = float32([1, 2, 4], [1, 2, 3, 4, 3, 4, 5, 6]);
    const got = numbers((await evaluate(graph, { y }, { x: data })).get('y'));
    expect(maxAbsolute(got, [2, 3, 4, 5, 2, 3, 4, 5])).toBeLessThan(1e-6);
  });
});

describe('masks', () => {
  it('causalBias hides what comes later', async () => {
    const graph = new Graph();
    graph.input('x', 'float32', ['T']);
    const got = await evaluate(graph, { y: causalBias(graph, 'T') }, { x: float32([3], [0, 0, 0]) });
    const h = Math.fround(-1e9);
    expect(numbers(got.get('y'))).toEqual([0, h, h, 0, 0, h, 0, 0, 0]);
  });

  it('keyBias hides keys from every head and query', async () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', ['B', 'T', 4]);
    const bias = keyBias(graph.input('mask', 'int32', ['B', 'T']));
    expect(bias.shape).toEqual(['B', 1, 1, 'T']);
    const y = attention(x, x, x, { heads: 2, bias });
    const row = [1, 2, 3, 4];
    const x2 = float32([2, 2, 4], [...row, 9, 9, 9, 9, 5, 5, 5, 5, ...row]);
    const got = await evaluate(graph, { y }, { x: x2, mask: int32([2, 2], [1, 0, 0, 1]) });
    expect(numbers(got.get('y'))).toEqual([...row, ...row, ...row, ...row]);
  });
});
