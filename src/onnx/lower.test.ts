import { describe, expect, it } from 'vitest';
import { evaluate } from '../../test/support/evaluate.ts';
import { fixture, numbers } from '../../test/support/fixtures.ts';
import { float32, int32 } from '../base/index.ts';
import {
  add,
  exp,
  Graph,
  gather,
  gradients,
  iota,
  matmul,
  mul,
  neg,
  reduceSum,
  reshape,
  stopGradient,
  type Value,
} from '../graph/index.ts';
import { loadModel, modelThat } from '../models/index.ts';
import { ParameterTrace } from '../nn/index.ts';
import { decodeModel, encodeModel, lower } from './index.ts';

/** A language model's loss over its sums of logits, with all gradients: a graph as large as those of training. */
function trainingGraph() {
  const { writer } = modelThat('writer', loadModel(fixture('decoder/gqa')).model, 'decoder/gqa');
  const graph = new Graph();
  const trace = new ParameterTrace(graph);
  const { hidden } = writer.hidden(trace.root(), { ids: graph.input('ids', 'int32', ['B', 'T']) });
  const loss = reduceSum(writer.head(trace.root(), hidden));
  const outputs = new Map([['loss', loss]]);
  const grads = gradients(loss, [...trace.values.values()]);
  [...trace.values.keys()].forEach((name, i) => {
    if (grads[i]) outputs.set(`gradient.${name}`, grads[i]);
  });
  return { graph, outputs };
}

const opTypes = (graph: Graph, outputs: ReadonlyMap<string, Value>) =>
  lower(graph, outputs).graph.nodes.map((node) => node.opType);

describe('the names of a lowered model', () => {
  const { graph, outputs } = trainingGraph();
  const lowered = lower(graph, outputs, { name: 'gqa' });

  it('are unique, of nodes and of tensors', () => {
    const nodes = lowered.graph.nodes.map((node) => node.name);
    expect(nodes.length).toBeGreaterThan(150);
    expect(new Set(nodes).size).toBe(nodes.length);
    const tensors = [
      ...lowered.graph.inputs.map((port) => port.name),
      ...lowered.graph.initializers.map((initializer) => initializer.name),
      ...lowered.graph.nodes.flatMap((node) => node.outputs),
    ];
    expect(new Set(tensors).size).toBe(tensors.length);
  });

  it('say the module that made a node, forward and backward', () => {
    const names = new Set(lowered.graph.nodes.map((node) => node.name));
    expect(names).toContain('model.layers.1.self_attn.q_proj/MatMul/FusedMatMul');
    expect(names).toContain('model.layers.0.input_layernorm/RmsNorm/SimplifiedLayerNormalization');
    expect(names).toContain('gradient/model.layers.0.mlp/QuickGelu/Sigmoid');
  });

  it('keep symbolic sizes as dim_param and survive the file', () => {
    const decoded = decodeModel(encodeModel(lowered));
    expect(decoded).toEqual(lowered);
    expect(decoded.graph.inputs[0]).toEqual({ name: 'ids', dtype: 'int32', shape: ['B', 'T'] });
    expect(decoded.opsets['']).toBe(20);
    expect(decoded.graph.outputs.map((port) => port.name)).toEqual([...outputs.keys()]);
  });

  it('are listed after everything they read, leaves last', () => {
    const known = new Set([
      ...lowered.graph.inputs.map((port) => port.name),
      ...lowered.graph.initializers.map((initializer) => initializer.name),
    ]);
    for (const node of lowered.graph.nodes) {
      for (const input of node.inputs) expect(known, node.name).toContain(input);
      for (const output of node.outputs) known.add(output);
    }
    expect(lowered.graph.nodes.at(-1)?.outputs).toEqual(['loss']);
  });
});

describe('what is written', () => {
  it('is what the outputs need', () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', ['B', 3]);
    graph.input('unread', 'float32', ['B']);
    exp(x);
    const { graph: lowered } = lower(graph, new Map([['y', neg(x)]]));
    expect(lowered.nodes.map((node) => node.opType)).toEqual(['Neg']);
    expect(lowered.inputs.map((port) => port.name)).toEqual(['x']);
    expect(lowered.initializers).toEqual([]);
  });

  it('keeps an input that only tells a size', async () => {
    const graph = new Graph();
    graph.input('x', 'float32', ['B', 'K']);
    const y = iota(graph, 'K');
    expect(lower(graph, new Map([['y', y]])).graph.inputs.map((port) => port.name)).toEqual(['x']);
    const got = await evaluate(graph, { y }, { x: float32([2, 3], new Float32Array(6)) });
    expect(numbers(got.get('y'))).toEqual([0, 1, 2]);
  });

  it('computes a size once, and shares equal constants', () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', ['B', 'T', 4]);
    const flat = (v: Value) => reshape(mul(v, 2), ['T', 'B', 4]);
    const types = opTypes(graph, new Map([['y', add(flat(x), flat(neg(x)))]]));
    expect(types.filter((type) => type === 'Shape')).toHaveLength(2);
    expect(lower(graph, new Map([['y', add(mul(x, 2), 2)]])).graph.initializers).toHaveLength(1);
  });

  it('is refused when no input has a size of its own', () => {
    const graph = new Graph();
    graph.input('x', 'float32', ['2*B']);
    const y = graph.within('layers.3', () => iota(graph, 'B'));
    expect(() => lower(graph, new Map([['y', y]]))).toThrow(
      expect.objectContaining({ code: 'onnx/unknown-dimension', path: 'layers.3/Iota' }),
    );
  });
});

describe('public names', () => {
  const x = float32([2], [1, 2]);
  const start = () => {
    const graph = new Graph();
    return { graph, input: graph.input('x', 'float32', ['B']) };
  };

  it('two of one value', async () => {
    const { graph, input } = start();
    const y = neg(input);
    const got = await evaluate(graph, { first: y, second: y, third: y }, { x });
    for (const name of ['first', 'second', 'third']) expect(numbers(got.get(name)), name).toEqual([-1, -2]);
  });

  it('of a value that others read', async () => {
    const { graph, input } = start();
    const y = neg(input);
    const got = await evaluate(graph, { sum: add(y, y), y, again: y }, { x });
    expect([...got].map(([name, t]) => [name, numbers(t)])).toEqual([
      ['sum', [-2, -4]],
      ['y', [-1, -2]],
      ['again', [-1, -2]],
    ]);
  });

  it('of an input, a constant and a passed-on value', async () => {
    const { graph, input } = start();
    const outputs = { same: input, constant: graph.constant(int32([1], [7])), passed: stopGradient(input) };
    const got = await evaluate(graph, outputs, { x });
    expect(numbers(got.get('same'))).toEqual([1, 2]);
    expect(numbers(got.get('constant'))).toEqual([7]);
    expect(numbers(got.get('passed'))).toEqual([1, 2]);
  });

  it('that look like the names of nodes', async () => {
    const { graph, input } = start();
    const inner = neg(input);
    const got = await evaluate(graph, { Neg: exp(inner), Exp: add(inner, 1), 'outputs/Neg': inner }, { x });
    expect(numbers(got.get('Exp'))).toEqual([0, -1]);
    expect(numbers(got.get('outputs/Neg'))).toEqual([-1, -2]);
    expect(numbers(got.get('Neg'))[0]).toBeCloseTo(Math.exp(-1), 6);
  });

  it('that an input has are refused', () => {
    const { graph, input } = start();
    expect(() => lower(graph, new Map([['x', neg(input)]]))).toThrow(
      expect.objectContaining({ code: 'onnx/duplicate-name', path: 'x' }),
    );
  });
});

describe('the legalisation for webgpu', () => {
  const graph = new Graph();
  const a = graph.input('a', 'float32', ['B', 3, 2]);
  const b = graph.input('b', 'float32', [4, 3]);
  const products = {
    plain: matmul(b, a),
    scaled: matmul(a, b, { transA: true, transB: true, alpha: 0.5 }),
    right: matmul(gather(a, graph.input('rows', 'int32', ['R']), 1), reshape(a, ['B', 2, 3]), { alpha: -2 }),
  };
  const feeds = {
    a: float32([2, 3, 2], [1, -2, 3, 4, 0.5, 6, 7, 8, -9, 1, 2, 3]),
    b: float32([4, 3], [1, 2, 3, 4, 5, 6, -7, 8, 9, 0, 1, 2]),
    rows: int32([2], [2, 0]),
  };

  it('gives the numbers of the cpu without its own operators', async () => {
    const outputs = new Map(Object.entries(products));
    const legal = lower(graph, outputs, { target: 'webgpu' });
    expect(legal.graph.nodes.filter((node) => node.opType === 'FusedMatMul')).toEqual([]);
    expect(lower(graph, outputs).graph.nodes.some((node) => node.opType === 'FusedMatMul')).toBe(true);
    const [cpu, webgpu] = [
      await evaluate(graph, products, feeds),
      await evaluate(graph, products, feeds, { target: 'webgpu' }),
    ];
    for (const name of Object.keys(products)) expect(webgpu.get(name), name).toEqual(cpu.get(name));
  });
});
