import { describe, expect, it } from 'vitest';
import { checkOp } from '../../test/support/check-op.ts';
import { evaluate } from '../../test/support/evaluate.ts';
import { numbers } from '../../test/support/fixtures.ts';
import { float32 } from '../base/index.ts';
import { defineFused } from './functions/fused.ts';
import {
  add,
  argMax,
  cast,
  floor,
  Graph,
  gradients,
  mul,
  reduceSum,
  sign,
  stopGradient,
  straightThrough,
  type Value,
} from './index.ts';

const data = float32([3], [-1.5, 0.25, 2]);

/** The derivative of `sum(f(x))` at [-1.5, 0.25, 2]; undefined when x is not reached. */
async function slope(f: (x: Value) => Value): Promise<number[] | undefined> {
  const graph = new Graph();
  const x = graph.input('x', 'float32', ['K']);
  const [dx] = gradients(reduceSum(f(x)), [x]);
  return dx && numbers((await evaluate(graph, { dx }, { x: data })).get('dx'));
}

describe('the reverse sweep', () => {
  it('adds what comes back along several ways', async () => {
    expect(await slope((x) => add(mul(x, x), mul(x, 3)))).toEqual([0, 3.5, 7]);
    expect(await slope((x) => add(x, x))).toEqual([2, 2, 2]);
  });

  it('gives nothing to values that the loss does not read', () => {
    const graph = new Graph();
    const [x, y] = [graph.input('x', 'float32', [3]), graph.input('y', 'float32', [3])];
    const grads = gradients(reduceSum(x), [x, y]);
    expect(grads.map(Boolean)).toEqual([true, false]);
  });

  it('gives one for the loss itself', async () => {
    const graph = new Graph();
    const loss = reduceSum(graph.input('x', 'float32', [3]));
    const [one] = gradients(loss, [loss]);
    expect(numbers((await evaluate(graph, { one: one as Value }, { x: data })).get('one'))).toEqual([1]);
  });

  it('works for values inside the graph', async () => {
    const graph = new Graph();
    const inner = mul(graph.input('x', 'float32', [3]), 2);
    const [d] = gradients(reduceSum(mul(inner, inner)), [inner]);
    expect(numbers((await evaluate(graph, { d: d as Value }, { x: data })).get('d'))).toEqual([-6, 1, 8]);
  });

  it('sums over the axes of a broadcast, symbolic ones too', async () => {
    await checkOp('broadcast', {
      inputs: { x: float32([4, 1], [1, 2, 3, 4]), bias: float32([3], [0.5, -1, 2]) },
      wrt: ['x', 'bias'],
      symbolic: ['x'],
      build: ({ x, bias }) => mul(add(x as Value, bias as Value), x as Value),
    });
  });

  it('refuses a loss with axes, naming its shape', () => {
    const x = new Graph().input('x', 'float32', ['B', 2]);
    expect(() => gradients(x, [x])).toThrow(
      expect.objectContaining({ code: 'graph/loss-shape', got: '[B, 2]', path: 'Input' }),
    );
  });

  it.each([
    ['Floor', floor],
    ['Sign', sign],
  ])('refuses to pass %s, naming where it is', (name, op) => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [3]);
    const loss = reduceSum(graph.within('quantizer', () => op(x)));
    expect(() => gradients(loss, [x])).toThrow(
      expect.objectContaining({ code: 'graph/no-gradient', path: `quantizer/${name}` }),
    );
  });

  it('does not go through integers', async () => {
    expect(await slope((x) => mul(x, cast(argMax(x), 'float32')))).toEqual([2, 2, 2]);
    expect(await slope((x) => cast(cast(x, 'int32'), 'float32'))).toBeUndefined();
  });

  it('names gradient nodes after the node they belong to', () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [3]);
    const [dx] = gradients(reduceSum(graph.within('layers.1', () => mul(x, x))), [x]);
    expect(dx?.node.path).toBe('Add');
    expect(graph.nodes.some((node) => node.path === 'gradient/layers.1/Mul/Mul')).toBe(true);
  });
});

describe('deliberate stops', () => {
  it('stopGradient passes the value and no gradient', async () => {
    expect(await slope((x) => mul(x, stopGradient(x)))).toEqual([-1.5, 0.25, 2]);
    expect(await slope((x) => stopGradient(mul(x, x)))).toBeUndefined();
    const x = new Graph().input('x', 'float32', [3]);
    expect(gradients(stopGradient(reduceSum(x)), [x])).toEqual([undefined]);
  });

  it('straightThrough has the value of one and the gradient of the other', async () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', ['K']);
    const y = straightThrough(floor(x), mul(x, 3));
    const [dx] = gradients(reduceSum(y), [x]);
    const got = await evaluate(graph, { y, dx: dx as Value }, { x: data });
    expect(numbers(got.get('y'))).toEqual([-2, 0, 2]);
    expect(numbers(got.get('dx'))).toEqual([3, 3, 3]);
  });
});

describe('a fused function without a derivative of its own', () => {
  const product = defineFused<null, [Value, Value]>({
    name: 'Product',
    infer: ([x]) => x,
    decompose: ([a, b]) => [mul(mul(a, b), b)],
    emit: (e, [a, b]) => e.node('Mul', [e.node('Mul', [a, b]), b]),
  });

  it('takes that of its decomposition', () =>
    checkOp('product', {
      inputs: { a: data, b: float32([3], [2, -1, 0.5]) },
      wrt: ['a', 'b'],
      symbolic: ['a', 'b'],
      build: ({ a, b }) => product([a as Value, b as Value], null)[0],
    }));

  it('counts an operand given twice once', async () => {
    const slopes = await slope((x) => product([x, x], null)[0]);
    expect(slopes).toEqual([-1.5, 0.25, 2].map((x) => 3 * x * x));
  });
});
