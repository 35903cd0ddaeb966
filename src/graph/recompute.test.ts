import { describe, expect, it } from 'vitest';
import { evaluate } from '../../test/support/evaluate.ts';
import { numbers } from '../../test/support/fixtures.ts';
import { float32, int32, Random, type Tensor } from '../base/index.ts';
import { add, dropout, Graph, gradients, matmul, mul, reduceSum, stopGradient, tanh, type Value } from './index.ts';

const random = new Random(1, 'recompute');
const noise = (shape: number[]) =>
  float32(
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
  );

const feeds: Record<string, Tensor> = {
  x: noise([3, 4]),
  w: noise([4, 4]),
  v: noise([4, 4]),
  seed: int32([], [5]),
};

type Inputs = Readonly<Record<'x' | 'w' | 'v' | 'seed', Value>>;
/** A model as a function of its inputs; `part` marks a segment. */
type Build = (inputs: Inputs, part: <T>(build: () => T) => T) => Value;

function trace(build: Build, recompute: boolean, wrt: readonly ('x' | 'w' | 'v')[] = ['x', 'w', 'v']) {
  const graph = new Graph({ recompute });
  const inputs: Inputs = {
    x: graph.input('x', 'float32', ['B', 4]),
    w: graph.input('w', 'float32', [4, 4]),
    v: graph.input('v', 'float32', [4, 4]),
    seed: graph.input('seed', 'int32', []),
  };
  const loss = reduceSum(build(inputs, (inner) => graph.segment(inner)));
  const found = gradients(
    loss,
    wrt.map((name) => inputs[name]),
  );
  const outputs = new Map<string, Value>([['loss', loss]]);
  for (const [i, name] of wrt.entries()) if (found[i]) outputs.set(`d${name}`, found[i]);
  return { graph, outputs, again: graph.nodes.filter(({ path }) => path.startsWith('again/')).length };
}

async function results(build: Build, recompute: boolean): Promise<Record<string, readonly number[]>> {
  const { graph, outputs } = trace(build, recompute);
  const read = Object.fromEntries(Object.entries(feeds).filter(([name]) => graph.inputs.has(name)));
  const got = await evaluate(graph, outputs, read);
  return Object.fromEntries([...got].map(([name, tensor]) => [name, numbers(tensor)]));
}

const layer = (x: Value, w: Value) => add(x, tanh(matmul(x, w)));

const models: Record<string, Build> = {
  'layers in a row': ({ x, w, v }, part) => {
    const first = part(() => layer(x, w));
    return part(() => layer(first, v));
  },
  'a parameter of two segments': ({ x, w, v }, part) => {
    const first = part(() => layer(layer(x, w), v));
    return mul(
      part(() => layer(first, w)),
      first,
    );
  },
  'a segment with two results that are both read': ({ x, w, v }, part) => {
    const [a, b] = part(() => {
      const inner = tanh(matmul(x, w));
      return [inner, mul(inner, x)] as const;
    });
    return add(matmul(a, v), mul(b, 3));
  },
  'dropout inside': ({ x, w, v, seed }, part) => {
    const first = part(() => mul(dropout(layer(x, w), seed, 1, 0.4), tanh(x)));
    return part(() => dropout(layer(first, v), seed, 2, 0.4));
  },
  'a stopped gradient inside': ({ x, w, v }, part) =>
    matmul(
      part(() => add(layer(x, w), stopGradient(tanh(x)))),
      v,
    ),
};

describe('recomputation', () => {
  it.each(Object.entries(models))('gives the same gradients bit for bit: %s', async (_, build) => {
    const plain = await results(build, false);
    expect(await results(build, true)).toEqual(plain);
    expect(Object.keys(plain).sort()).toEqual(['dv', 'dw', 'dx', 'loss']);
  });

  it('computes a segment again only where a gradient flows through it', () => {
    const build = models['layers in a row'] as Build;
    expect(trace(build, false).again).toBe(0);
    const both = trace(build, true).again;
    expect(both).toBeGreaterThan(0);
    // With a frozen first layer on frozen input, one layer is left.
    expect(trace(build, true, ['v']).again).toBe(both / 2);
  });
});
