import { describe, expect, it } from 'vitest';
import { checkOp } from '../../../test/support/check-op.ts';
import { evaluate } from '../../../test/support/evaluate.ts';
import { numbers } from '../../../test/support/fixtures.ts';
import { float32, int32, int64, type Tensor } from '../../base/index.ts';
import {
  Graph,
  gather,
  gatherElements,
  layerNorm,
  matmul,
  reshape,
  scatterAddElements,
  scatterAddRows,
  scatterRows,
  softmax,
  takeRows,
  type Value,
} from '../index.ts';

const table = float32([4, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
const rows = float32([3, 2], [10, 20, 30, 40, 50, 60]);

type Values = Readonly<Record<string, Value>>;

describe('rows by index', () => {
  const repeated = int32([3], [2, 0, 2]);
  const operands = { x: table, index: repeated, rows };
  const build = (op: typeof scatterRows) => (v: Values) => op(v.x as Value, v.index as Value, v.rows as Value);

  it('scatterAddRows adds rows that meet', () =>
    checkOp('scatterAddRows', {
      inputs: operands,
      wrt: ['x', 'rows'],
      symbolic: ['x'],
      build: build(scatterAddRows),
      expected: {
        output: [31, 42, 3, 4, 65, 86, 7, 8],
        cotangent: [1, 2, 3, 4, 5, 6, 7, 8],
        grads: { x: [1, 2, 3, 4, 5, 6, 7, 8], rows: [5, 6, 1, 2, 5, 6] },
      },
    }));

  it('scatterRows takes the gradient from the rows it covers', () =>
    checkOp('scatterRows', {
      inputs: { ...operands, index: int64([3], [3, 0, 1]) },
      wrt: ['x', 'rows'],
      symbolic: ['index', 'rows'],
      build: build(scatterRows),
      expected: {
        output: [30, 40, 50, 60, 5, 6, 10, 20],
        cotangent: [1, 2, 3, 4, 5, 6, 7, 8],
        grads: { x: [0, 0, 0, 0, 5, 6, 0, 0], rows: [7, 8, 1, 2, 3, 4] },
      },
    }));

  it('takeRows puts gradients in their places', () =>
    checkOp('takeRows', {
      inputs: { x: table, index: int32([2], [3, 1]) },
      wrt: ['x'],
      symbolic: ['index'],
      build: (v: Values) => takeRows(v.x as Value, v.index as Value),
      expected: { output: [7, 8, 3, 4], cotangent: [1, 2, 3, 4], grads: { x: [0, 0, 3, 4, 0, 0, 1, 2] } },
    }));

  it('gather of a grid of repeated rows', () =>
    checkOp('gather', {
      inputs: { x: table, index: int32([2, 2], [1, 1, 3, 1]) },
      wrt: ['x'],
      symbolic: ['x'],
      build: ({ x, index }) => gather(x as Value, index as Value),
      expected: {
        output: [3, 4, 3, 4, 7, 8, 3, 4],
        cotangent: [1, 2, 3, 4, 5, 6, 7, 8],
        grads: { x: [0, 0, 11, 14, 0, 0, 5, 6] },
      },
    }));

  it('scatterAddElements and gatherElements are each other’s transpose', () =>
    checkOp('scatterAddElements', {
      inputs: { x: table, index: int32([4, 1], [0, 1, 1, 0]), updates: float32([4, 1], [10, 20, 30, 40]) },
      wrt: ['x', 'updates'],
      symbolic: ['x', 'index', 'updates'],
      build: ({ x, index, updates }) => scatterAddElements(x as Value, index as Value, updates as Value),
      expected: {
        output: [11, 2, 3, 24, 5, 36, 47, 8],
        cotangent: [1, 2, 3, 4, 5, 6, 7, 8],
        grads: { x: [1, 2, 3, 4, 5, 6, 7, 8], updates: [1, 4, 6, 7] },
      },
    }));
});

describe('a batch without images', () => {
  const none = (...shape: number[]): Tensor => float32([0, ...shape], []);
  const graph = new Graph();
  const images = graph.input('images', 'float32', ['N', 3, 4]);
  const weight = graph.input('weight', 'float32', [2, 4]);
  const ones = graph.input('ones', 'float32', [4]);
  const text = graph.input('text', 'float32', ['R', 2]);
  const index = graph.input('index', 'int32', ['3*N']);
  const feeds = {
    images: none(3, 4),
    weight: float32([2, 4], new Float32Array(8)),
    ones: float32([4], [1, 1, 1, 1]),
    text: table,
    index: int32([0], []),
  };

  it('goes through norms, products, softmax, reshapes and gathers as empty', async () => {
    const normed = layerNorm(images, ones, ones, 1e-5);
    const wide = matmul(normed, weight, { transB: true });
    const flat = reshape(wide, [-1, 2]);
    const got = await evaluate(
      graph,
      { normed, flat, weights: softmax(wide), picked: gather(text, index), chosen: gatherElements(text, index2()) },
      { ...feeds, index2: int32([4, 0], []) },
    );
    const shapes = Object.fromEntries([...got].map(([name, t]) => [name, t.shape]));
    expect(shapes).toEqual({ normed: [0, 3, 4], flat: [0, 2], weights: [0, 3, 2], picked: [0, 2], chosen: [4, 0] });
  });

  it('is spliced into the text as nothing', async () => {
    const flat = reshape(matmul(images, weight, { transB: true }), [-1, 2]);
    const got = await evaluate(graph, { joined: scatterRows(text, index, flat) }, feeds);
    expect(numbers(got.get('joined'))).toEqual(numbers(table));
  });

  it('reshapes between shapes that hold 0 as a number', async () => {
    const g = new Graph();
    const x = g.input('x', 'float32', [0, 4]);
    const got = await evaluate(g, { y: reshape(x, [4, 0, 3]) }, { x: none(4) });
    expect(got.get('y')?.shape).toEqual([4, 0, 3]);
  });

  it('reshapes to sizes computed at run time that turn out to be 0', async () => {
    const g = new Graph();
    const x = g.input('x', 'float32', ['B', 'N', 'T']);
    const got = await evaluate(g, { y: reshape(x, ['T', 'B', 'N']) }, { x: float32([2, 0, 3], []) });
    expect(got.get('y')?.shape).toEqual([3, 2, 0]);
  });

  function index2(): Value {
    return graph.inputs.get('index2') ?? graph.input('index2', 'int32', ['R', 'K']);
  }
});
