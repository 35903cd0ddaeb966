import { describe, expect, it } from 'vitest';
import { evaluate } from '../../test/support/evaluate.ts';
import { numbers } from '../../test/support/fixtures.ts';
import { float32, int32 } from '../base/index.ts';
import { Graph, reduceSum } from '../graph/index.ts';
import { forwardDivergence, phraseLoss, phraseRatios } from './index.ts';

/** The specification's two pairs of phrases: tokens with their pair, and 1 for those of the wrong phrase. */
const said = [
  [-0.3, 0, -1],
  [-2.0, 0, 1],
  [-0.5, 0, 1],
  [-1.2, 1, -1],
  [-0.4, 1, -1],
  [-0.9, 1, 1],
] as const;

async function align(slots: number): Promise<{ readonly ratios: readonly number[]; readonly mean: number }> {
  const graph = new Graph();
  const ratios = phraseRatios(
    graph.input('tokens', 'float32', ['J']),
    graph.input('of', 'int32', ['J']),
    graph.input('signs', 'float32', ['J']),
    graph.input('none', 'float32', ['P']),
  );
  const column = (i: 0 | 1 | 2) => said.map((row) => row[i] as number);
  const found = await evaluate(
    graph,
    { ratios, sum: reduceSum(phraseLoss(ratios)) },
    {
      tokens: float32([6], column(0)),
      of: int32([6], column(1)),
      signs: float32([6], column(2)),
      none: float32([slots], new Float32Array(slots)),
    },
  );
  return { ratios: numbers(found.get('ratios')), mean: (numbers(found.get('sum'))[0] as number) / slots };
}

async function divergence(reference: readonly (readonly number[])[], policy: readonly (readonly number[])[]) {
  const graph = new Graph();
  const each = forwardDivergence(graph.input('r', 'float32', ['L', 3]), graph.input('p', 'float32', ['L', 3]));
  const logs = (rows: readonly (readonly number[])[]) => float32([rows.length, 3], rows.flat().map(Math.log));
  return numbers((await evaluate(graph, { each }, { r: logs(reference), p: logs(policy) })).get('each'));
}

const [reference, policy] = [
  [
    [0.7, 0.2, 0.1],
    [0.5, 0.3, 0.2],
  ],
  [
    [0.6, 0.3, 0.1],
    [0.4, 0.4, 0.2],
  ],
] as const;

describe('phrases', () => {
  it('have the values of vectors 30a and, with an empty slot, 30b', async () => {
    const { ratios, mean } = await align(2);
    expect(ratios[0]).toBeCloseTo(-2.2, 6);
    expect(ratios[1]).toBeCloseTo(0.7, 6);
    expect(Math.abs(mean / 0.604134684327077 - 1)).toBeLessThan(1e-6);
    expect(Math.abs((await align(3)).mean / 0.6338055164046997 - 1)).toBeLessThan(1e-6);
  });

  it('are tied to the reference by the divergence of vector 30c, and not by the reverse one', async () => {
    const each = await divergence(reference, policy);
    expect(each[0]).toBeCloseTo(0.0268124543, 7);
    expect(each[1]).toBeCloseTo(0.0252671539, 7);
    const total = (each[0] as number) + (each[1] as number);
    expect(Math.abs((await align(2)).mean + 0.4 * total - 0.6249665275986843)).toBeLessThan(1e-6);
    const [a, b] = await divergence(policy, reference);
    expect((a as number) + (b as number)).toBeCloseTo(0.05496453299112285, 6);
    for (const value of await divergence(reference, reference)) expect(Math.abs(value)).toBeLessThan(1e-7);
  });
});
