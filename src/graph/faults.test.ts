import { describe, expect, it } from 'vitest';
import { formatFault, TesseraError } from '../base/index.ts';
import {
  add,
  argMax,
  concat,
  conv2d,
  Graph,
  gather,
  gatherElements,
  layerNorm,
  matmul,
  maxPool2d,
  reduceSum,
  reshape,
  rotary,
  scatterRows,
  slice,
  split,
  tokenLogProb,
  transpose,
  type Value,
  where,
} from './index.ts';

/** The text of the fault that building inside the module `layers.0.mlp` throws. */
function faultOf(build: (graph: Graph) => unknown): string {
  const graph = new Graph();
  try {
    graph.within('layers.0.mlp', () => build(graph));
  } catch (error) {
    if (error instanceof TesseraError) return formatFault(error);
    throw error;
  }
  return 'no fault';
}

const x = (graph: Graph, ...shape: (number | string)[]): Value =>
  graph.within('embed', () => graph.input(`x${graph.inputs.size}`, 'float32', shape));
const ids = (graph: Graph, ...shape: (number | string)[]): Value =>
  graph.input(`ids${graph.inputs.size}`, 'int32', shape);

describe('shape faults name the operator, its inputs and the module', () => {
  it('products', () => {
    expect(faultOf((g) => matmul(x(g, 'B', 'T', 32), x(g, 64, 33), { transB: true }))).toMatchInlineSnapshot(`
      "MatMul: inner dimensions differ [graph/shape]
        path:     layers.0.mlp/MatMul
        expected: 32
        got:      33 | #0 float32[B, T, 32] from embed/Input; #1 float32[64, 33] from embed/Input"
    `);
    expect(faultOf((g) => matmul(x(g, 2, 3, 4), x(g, 3, 4, 5)))).toMatchInlineSnapshot(`
      "MatMul: outer dimensions do not broadcast [graph/shape]
        path:     layers.0.mlp/MatMul
        expected: [2, 3, 4]
        got:      [3, 4, 5] | #0 float32[2, 3, 4] from embed/Input; #1 float32[3, 4, 5] from embed/Input"
    `);
  });

  it('elementwise', () => {
    expect(faultOf((g) => add(x(g, 'B', 4), x(g, 'N', 4)))).toMatchInlineSnapshot(`
      "Add: shapes do not broadcast [graph/shape]
        path:     layers.0.mlp/Add
        expected: [B, 4]
        got:      [N, 4] | #0 float32[B, 4] from embed/Input; #1 float32[N, 4] from embed/Input"
    `);
    expect(faultOf((g) => add(x(g, 2), ids(g, 2)))).toMatchInlineSnapshot(`
      "Add: operands differ in dtype [graph/shape]
        path:     layers.0.mlp/Add
        expected: float32
        got:      int32 | #0 float32[2] from embed/Input; #1 int32[2] from layers.0.mlp/Input"
    `);
    expect(faultOf((g) => where(x(g, 2), x(g, 2), 0))).toMatchInlineSnapshot(`
      "Where: the condition is no bool [graph/shape]
        path:     layers.0.mlp/Where
        got:      float32 | #0 float32[2] from embed/Input; #1 float32[2] from embed/Input; #2 float32[] from layers.0.mlp/Constant"
    `);
  });

  it('shapes', () => {
    expect(faultOf((g) => reshape(x(g, 'B', 'T', 6), ['B', 'T', 2, 4]))).toMatchInlineSnapshot(`
      "Reshape: the sizes differ [graph/shape]
        path:     layers.0.mlp/Reshape
        expected: 6*B*T elements
        got:      [B, T, 2, 4] | #0 float32[B, T, 6] from embed/Input"
    `);
    expect(faultOf((g) => reshape(x(g, 'B', 5), [-1, 4]))).toMatchInlineSnapshot(`
      "Reshape: -1 cannot be inferred [graph/shape]
        path:     layers.0.mlp/Reshape
        expected: a divisor of 5*B
        got:      [-1, 4] | #0 float32[B, 5] from embed/Input"
    `);
    expect(faultOf((g) => transpose(x(g, 2, 3), [0, 0]))).toMatchInlineSnapshot(`
      "Transpose: the order is no permutation of the axes [graph/shape]
        path:     layers.0.mlp/Transpose
        got:      0,0 | #0 float32[2, 3] from embed/Input"
    `);
    expect(faultOf((g) => concat([x(g, 2, 3), x(g, 2, 4)], 0))).toMatchInlineSnapshot(`
      "Concat: shapes differ outside axis 0 [graph/shape]
        path:     layers.0.mlp/Concat
        expected: [2, 3]
        got:      [2, 4] | #0 float32[2, 3] from embed/Input; #1 float32[2, 4] from embed/Input"
    `);
    expect(faultOf((g) => slice(x(g, 4), 0, 2, 6))).toMatchInlineSnapshot(`
      "Slice: the slice leaves the axis [graph/shape]
        path:     layers.0.mlp/Slice
        expected: within 0..4
        got:      2..6 | #0 float32[4] from embed/Input"
    `);
    expect(faultOf((g) => split(x(g, 'T'), 0, ['T/2', 'T/2']))).toContain('the parts do not fill the axis');
    expect(faultOf((g) => slice(x(g, 4), 0, -2))).toContain('the slice leaves the axis');
    expect(faultOf((g) => slice(x(g, 'B'), 0, 3, 2))).toContain('the slice leaves the axis');
    expect(faultOf((g) => reduceSum(x(g, 2, 3), [0, -2]))).toMatchInlineSnapshot(`
      "ReduceSum: an axis is given twice [graph/shape]
        path:     layers.0.mlp/ReduceSum
        got:      0,0 | #0 float32[2, 3] from embed/Input"
    `);
    expect(faultOf((g) => argMax(x(g, 2, 3), 2))).toMatchInlineSnapshot(`
      "ArgMax: the axis is outside the tensor [shape/axis]
        path:     layers.0.mlp/ArgMax
        expected: an integer from -2 to 1
        got:      2 | #0 float32[2, 3] from embed/Input"
    `);
  });

  it('indices', () => {
    expect(faultOf((g) => gather(x(g, 4, 2), x(g, 3)))).toMatchInlineSnapshot(`
      "Gather: the index is no integer tensor [graph/shape]
        path:     layers.0.mlp/Gather
        expected: int32 or int64
        got:      float32 | #0 float32[4, 2] from embed/Input; #1 float32[3] from embed/Input"
    `);
    expect(faultOf((g) => scatterRows(x(g, 8, 2), ids(g, 3), x(g, 4, 2)))).toMatchInlineSnapshot(`
      "ScatterRows: the rows do not fit [graph/shape]
        path:     layers.0.mlp/ScatterRows
        expected: [3, 2]
        got:      [4, 2] | #0 float32[8, 2] from embed/Input; #1 int32[3] from layers.0.mlp/Input; #2 float32[4, 2] from embed/Input"
    `);
    expect(faultOf((g) => gatherElements(x(g, 2, 3), ids(g, 3, 1)))).toContain('GatherElements: the index differs');
    expect(faultOf((g) => tokenLogProb(x(g, 2, 3, 9), ids(g, 2)))).toMatchInlineSnapshot(`
      "TokenLogProb: one id a row of logits is needed [graph/shape]
        path:     layers.0.mlp/TokenLogProb
        got:      #0 float32[2, 3, 9] from embed/Input; #1 int32[2] from layers.0.mlp/Input"
    `);
  });

  it('images', () => {
    expect(faultOf((g) => conv2d(x(g, 'N', 3, 8, 8), x(g, 4, 2, 3, 3)))).toMatchInlineSnapshot(`
      "Conv: channels differ [graph/shape]
        path:     layers.0.mlp/Conv
        expected: 2
        got:      3 | #0 float32[N, 3, 8, 8] from embed/Input; #1 float32[4, 2, 3, 3] from embed/Input"
    `);
    expect(faultOf((g) => conv2d(x(g, 'N', 3, 2, 8), x(g, 4, 3, 3, 3)))).toMatchInlineSnapshot(`
      "Conv: the kernel is larger than the image [graph/shape]
        path:     layers.0.mlp/Conv
        expected: at most 2,8
        got:      3,3 | #0 float32[N, 3, 2, 8] from embed/Input; #1 float32[4, 3, 3, 3] from embed/Input"
    `);
    expect(faultOf((g) => conv2d(x(g, 'N', 3, 'H', 8), x(g, 4, 3, 3, 3)))).toContain('known H and W');
    expect(faultOf((g) => maxPool2d(x(g, 1, 1, 2, 2), 3))).toMatchInlineSnapshot(`
      "MaxPool2d: the window is larger than the image [graph/shape]
        path:     layers.0.mlp/MaxPool2d
        expected: at most 2,2
        got:      3 | #0 float32[1, 1, 2, 2] from embed/Input"
    `);
  });

  it('fused functions', () => {
    expect(faultOf((g) => layerNorm(x(g, 2, 8), x(g, 8), x(g, 9), 1e-5))).toMatchInlineSnapshot(`
      "LayerNorm: the scale does not fit [graph/shape]
        path:     layers.0.mlp/LayerNorm
        expected: [8]
        got:      #0 float32[2, 8] from embed/Input; #1 float32[8] from embed/Input; #2 float32[9] from embed/Input"
    `);
    const turn = (g: Graph, headSize?: number) =>
      rotary(x(g, 'B', 'T', 30), g.input('p', 'int64', ['B', 'T']), x(g, 9, 4), x(g, 9, 4), 4, { headSize });
    expect(faultOf((g) => turn(g, 6))).toContain('Rotary: the tables turn more than a head');
    expect(faultOf(turn)).toMatchInlineSnapshot(`
      "Rotary: the width is not heads x head size [graph/shape]
        path:     layers.0.mlp/Rotary
        expected: [B, T, 32]
        got:      [B, T, 30] | #0 float32[B, T, 30] from embed/Input; #1 int64[B, T] from layers.0.mlp/Input; #2 float32[9, 4] from embed/Input; #3 float32[9, 4] from embed/Input"
    `);
  });
});

describe('a graph refuses', () => {
  it('a second input of one name', () => {
    const graph = new Graph();
    graph.input('ids', 'int32', ['B']);
    expect(() => graph.input('ids', 'int32', ['B'])).toThrow('has this input already');
  });

  it('a value of another graph', () => {
    const [one, other] = [new Graph(), new Graph()];
    const [a, b] = [x(one, 2), x(other, 2)];
    expect(() => add(a, b)).toThrow('belongs to another graph');
  });
});

it('restores the module path when building fails', () => {
  const graph = new Graph();
  expect(() =>
    graph.within('broken', () => {
      throw new Error('stop');
    }),
  ).toThrow('stop');
  const value = graph.within('outer', () => graph.within('inner', () => x(graph, 2)) && add(x(graph, 2), 1));
  expect(value.node.path).toBe('outer/Add');
});

it('shares equal scalar constants, and tells 0 from -0 and types apart', () => {
  const graph = new Graph();
  const scalarOf = (dtype: 'float32' | 'float64', value: number) =>
    graph.constant({ dtype, shape: [], data: dtype === 'float32' ? Float32Array.of(value) : Float64Array.of(value) });
  expect(scalarOf('float32', 2)).toBe(scalarOf('float32', 2));
  expect(scalarOf('float32', 0)).not.toBe(scalarOf('float32', -0));
  expect(scalarOf('float32', 2)).not.toBe(scalarOf('float64', 2));
});

it('writes sizes in one way, so that equal ones are equal', () => {
  const graph = new Graph();
  expect(x(graph, 'T*B', '1*N', '2+K').shape).toEqual(['B*T', 'N', 'K+2']);
});
