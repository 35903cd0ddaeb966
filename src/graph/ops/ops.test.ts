import { describe, expect, it } from 'vitest';
import { checkOp } from '../../../test/support/check-op.ts';
import { evaluate } from '../../../test/support/evaluate.ts';
import { numbers } from '../../../test/support/fixtures.ts';
import { type Dim, float32, floorDim, subDims, type Tensor } from '../../base/index.ts';
import {
  abs,
  add,
  argMax,
  cast,
  cumSum,
  expand,
  fill,
  floor,
  Graph,
  iota,
  maximum,
  maxPool2d,
  pad,
  pow,
  reduceMax,
  relu,
  reshape,
  sign,
  sizeScalar,
  slice,
  split,
  transpose,
  type Value,
} from '../index.ts';

const matrix = float32([2, 3], [1, 5, 2, 7, 0, 7]);

async function values(build: (x: Value) => Value, x: Tensor = matrix): Promise<number[]> {
  const graph = new Graph();
  const y = build(graph.input('x', x.dtype, ['B', ...x.shape.slice(1)]));
  return numbers((await evaluate(graph, { y }, { x })).get('y'));
}

describe('sizes that a run decides', () => {
  it('iota counts to them', async () => {
    const count = (x: Value) => add(cast(iota(x.node.graph, '2*B+1'), 'float32'), cast(x, 'float32'));
    expect(await values((x) => count(reshape(slice(slice(x, 0, 0, 1), 1, 0, 1), [1])))).toEqual([1, 2, 3, 4, 5]);
  });

  it('fill repeats a number over them, in every type', async () => {
    expect(await values((x) => add(fill(x.node.graph, ['B', 3], 'float32', -2.5), x))).toEqual([
      -1.5, 2.5, -0.5, 4.5, -2.5, 4.5,
    ]);
    for (const dtype of ['int32', 'int64', 'float16', 'float64'] as const) {
      const filled = (x: Value) => add(cast(fill(x.node.graph, ['B'], dtype, 3), 'float32'), slice(x, 1, 0, 1));
      expect(await values(filled), dtype).toEqual([4, 4, 10, 10]);
    }
  });

  it('sizeScalar computes polynomials of them', async () => {
    expect(await values((x) => add(sizeScalar(x, 'B*B+3*B'), reshape(slice(slice(x, 0, 0, 1), 1, 0, 1), [])))).toEqual([
      11,
    ]);
  });

  it('split cuts by them, and a part that nobody reads has no gradient', () =>
    checkOp('split', {
      inputs: { x: float32([4, 1], [1, 2, 3, 4]) },
      wrt: ['x'],
      symbolic: ['x'],
      build: ({ x }) => {
        const half = floorDim((x as Value).shape[0] as Dim, 2);
        return split(x as Value, 0, [half, subDims((x as Value).shape[0] as Dim, half)])[1] as Value;
      },
      expected: { output: [3, 4], cotangent: [5, 6], grads: { x: [0, 0, 5, 6] } },
    }));

  it('expand and pad reach them', () =>
    checkOp('expand and pad', {
      inputs: { x: float32([2, 1], [3, -4]) },
      wrt: ['x'],
      symbolic: ['x'],
      build: ({ x }) => {
        const b = (x as Value).shape[0] as number;
        return pad(expand(reshape(x as Value, [b, 1, 1]), [b, 2, 3]), 0, 1, b, 9);
      },
      expected: {
        output: [9, 9, 9, 9, 9, 9, 3, 3, 3, 3, 3, 3, -4, -4, -4, -4, -4, -4, ...new Array(12).fill(9)],
        cotangent: Array.from({ length: 30 }, (_, i) => i),
        grads: { x: [6 + 7 + 8 + 9 + 10 + 11, 12 + 13 + 14 + 15 + 16 + 17] },
      },
    }));
});

it('a transpose of a transpose is one, and none where it puts axes back', () => {
  const x = new Graph().input('x', 'float32', [2, 3, 4]);
  const turned = transpose(transpose(x, [1, 2, 0]), [0, 2, 1]);
  expect([turned.node.inputs[0], turned.shape]).toEqual([x, [3, 2, 4]]);
  expect(transpose(transpose(x, [1, 2, 0]), [2, 0, 1])).toBe(x);
});

describe('reductions and running sums', () => {
  it('share the gradient among equal maxima', () =>
    checkOp('reduceMax', {
      inputs: { x: matrix },
      wrt: ['x'],
      symbolic: ['x'],
      build: ({ x }) => reduceMax(x as Value, -1),
      expected: { output: [5, 7], cotangent: [3, 4], grads: { x: [0, 3, 0, 2, 0, 2] } },
    }));

  it('argMax takes the first of equal maxima', async () => {
    expect(await values((x) => argMax(x))).toEqual([1, 0]);
    expect(await values((x) => argMax(x, 0))).toEqual([1, 0, 1]);
  });

  it('cumSum runs from either end', () =>
    checkOp('cumSum', {
      inputs: { x: matrix },
      wrt: ['x'],
      symbolic: ['x'],
      build: ({ x }) => cumSum(x as Value, 1, true),
      expected: { output: [8, 7, 2, 14, 7, 7], cotangent: [1, 2, 3, 4, 5, 6], grads: { x: [1, 3, 6, 4, 9, 15] } },
    }));
});

describe('kinks and ties', () => {
  const x = float32([3], [-2, 0, 3]);
  const expected = (output: number[], grad: number[]) => ({ output, cotangent: [1, 1, 1], grads: { x: grad } });
  const at = { inputs: { x }, wrt: ['x'], symbolic: ['x'] };

  it('abs has slope 0 at 0', () =>
    checkOp('abs', { ...at, build: (v) => abs(v.x as Value), expected: expected([2, 0, 3], [-1, 0, 1]) }));

  it('a tie of maximum is shared', () =>
    checkOp('maximum', {
      ...at,
      build: (v) => maximum(v.x as Value, 0),
      expected: expected([0, 0, 3], [0, 0.5, 1]),
    }));

  it('a power has its derivative for odd and negative exponents', async () => {
    const inputs = { x: float32([2], [-2, 0.5]) };
    const cube = { output: [-8, 0.125], cotangent: [1, 1], grads: { x: [12, 0.75] } };
    await checkOp('cube', { ...at, inputs, build: (v) => pow(v.x as Value, 3), expected: cube });
    const inverse = { output: [0.25, 4], cotangent: [1, 1], grads: { x: [0.25, -16] } };
    await checkOp('inverse square', { ...at, inputs, build: (v) => pow(v.x as Value, -2), expected: inverse });
  });

  it('sign and floor', async () => {
    expect(await values(sign, x)).toEqual([-1, 0, 1]);
    expect(await values(floor, float32([3], [-0.5, 1.75, 2]))).toEqual([-1, 1, 2]);
  });

  it('relu of a negative number is zero with slope 0', () =>
    checkOp('relu', {
      ...at,
      inputs: { x: float32([3], [-2, -1, 3]) },
      build: (v) => relu(v.x as Value),
      expected: expected([0, 0, 3], [0, 0, 1]),
    }));
});

describe('windows of images', () => {
  it('that overlap repeat what they share', () =>
    checkOp('maxPool2d', {
      inputs: { x: float32([1, 1, 3, 4], [1, 2, 3, 4, 5, 12, 7, 8, 9, 10, 11, 6]) },
      wrt: ['x'],
      symbolic: ['x'],
      build: ({ x }) => maxPool2d(x as Value, 2, 1),
      expected: {
        output: [12, 12, 8, 12, 12, 11],
        cotangent: [1, 2, 3, 4, 5, 6],
        grads: { x: [0, 0, 0, 0, 0, 12, 0, 3, 0, 0, 6, 0] },
      },
    }));
});
