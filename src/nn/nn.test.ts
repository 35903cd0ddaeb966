import { describe, expect, it } from 'vitest';
import { maxAbsolute } from '../../test/support/compare.ts';
import { evaluate } from '../../test/support/evaluate.ts';
import { numbers } from '../../test/support/fixtures.ts';
import { float32, int32, type Tensor } from '../base/index.ts';
import { Graph, type Value } from '../graph/index.ts';
import {
  allocateStore,
  bicubicGrid,
  embedding,
  fillStore,
  initializeStore,
  kaimingUniform,
  layerNormAt,
  linear,
  mergeLora,
  normal,
  onesInit,
  ParameterTrace,
  rotaryFrequencies,
  rotaryTables,
  rowPositions,
  splice,
  storeOf,
} from './index.ts';

type Tensors = Readonly<Record<string, Tensor>>;

async function run(graph: Graph, y: Value, feeds: Tensors | ReadonlyMap<string, Tensor>): Promise<number[]> {
  return numbers((await evaluate(graph, { y }, feeds)).get('y'));
}

describe('parameters', () => {
  it('are declared by being asked for, in order, with their paths', () => {
    const trace = new ParameterTrace(new Graph());
    const x = trace.graph.input('x', 'float32', ['B', 3]);
    const p = trace.root().at('model');
    const y = layerNormAt(p.at('norm'), linear(p.at('layers').at(0), x, 2), 1e-5);
    layerNormAt(p.at('last'), y, 1e-5, { bias: false });
    expect([...trace.specs].map(([path, spec]) => `${path} ${spec.shape}`)).toEqual([
      'model.layers.0.weight 2,3',
      'model.layers.0.bias 2',
      'model.norm.weight 2',
      'model.norm.bias 2',
      'model.last.weight 2',
    ]);
    expect(trace.graph.nodes.some((node) => node.path === 'model.layers.0/MatMul')).toBe(true);
  });

  it('are shared by path, and refused with a second shape', () => {
    const trace = new ParameterTrace(new Graph());
    const ask = (...shape: number[]) => trace.root().at('embed').param('weight', shape, onesInit);
    expect(ask(4, 2)).toBe(ask(4, 2));
    expect(() => ask(2, 4)).toThrow(expect.objectContaining({ path: 'embed.weight', expected: '[4, 2]' }));
  });
});

describe('a store', () => {
  const specs = (...names: string[]) =>
    new Map(names.map((path) => [path, { path, shape: [3, 2], init: normal(0.5) }] as const));

  it('lays parameters out in one buffer', () => {
    const store = allocateStore(specs('a', 'b'));
    expect(store.flat.length).toBe(12);
    (store.tensors.get('b') as Tensor<'float32'>).data[0] = 7;
    expect(store.flat[6]).toBe(7);
  });

  it('starts every parameter from a stream of its own', () => {
    const [few, many] = [allocateStore(specs('a', 'c')), allocateStore(specs('a', 'b', 'c'))];
    for (const store of [few, many]) initializeStore(store, 3);
    expect(many.tensors.get('c')?.data).toEqual(few.tensors.get('c')?.data);
    expect(many.tensors.get('b')?.data).not.toEqual(many.tensors.get('c')?.data);
  });

  it('starts as its specs say', () => {
    const shape = [40, 50];
    const inits = { one: onesInit, spread: normal(0.5), flat: kaimingUniform(25) };
    const store = allocateStore(new Map(Object.entries(inits).map(([path, init]) => [path, { path, shape, init }])));
    initializeStore(store, 1);
    const data = (path: string) => numbers(store.tensors.get(path));
    expect(new Set(data('one'))).toEqual(new Set([1]));
    expect(Math.sqrt(data('spread').reduce((n, x) => n + x * x, 0) / 2000)).toBeCloseTo(0.5, 1);
    expect(Math.max(...data('flat'))).toBeLessThanOrEqual(0.2);
    expect(Math.max(...data('flat'))).toBeGreaterThan(0.19);
  });

  it('of given tensors holds these very ones, in the order of the specs', () => {
    const given = allocateStore(specs('b', 'a', 'z'));
    const store = storeOf(specs('a', 'b'), given.tensors);
    expect([...store.tensors.keys()]).toEqual(['a', 'b']);
    for (const [path, { data }] of store.tensors) expect(data).toBe(given.tensors.get(path)?.data);
    expect(() => storeOf(specs('a', 'c'), given.tensors)).toThrow('a parameter has no value');
    expect(() => storeOf(specs('a'), new Map([['a', float32([2], [1, 2])]]))).toThrow('a parameter has another shape');
  });

  it('refuses tensors without a place or of another shape', () => {
    const store = allocateStore(specs('a'));
    const other = float32([2, 3], new Float32Array(6));
    expect(() => fillStore(store, new Map([['a', other]]))).toThrow('a parameter has another shape');
    expect(() => fillStore(store, new Map([['z', other]]))).toThrow('the model has no such parameter');
  });
});

describe('a linear layer', () => {
  const weights = { weight: float32([2, 3], [1, 2, 3, 4, 5, 6]), bias: float32([2], [10, 20]) };
  const x = float32([1, 3], [1, 0, -1]);

  it('is x W^T + b', async () => {
    const trace = new ParameterTrace(new Graph());
    const y = linear(trace.root(), trace.graph.input('x', 'float32', ['B', 3]), 2);
    expect(await run(trace.graph, y, { x, ...weights })).toEqual([8, 18]);
  });

  it('adds the low-rank path of the layers that are adapted, and merges into the same', async () => {
    const lora = { r: 1, alpha: 2, targets: (path: string) => path === 'up' };
    const trace = new ParameterTrace(new Graph(), { lora });
    const input = trace.graph.input('x', 'float32', ['B', 3]);
    const y = linear(trace.root().at('down'), linear(trace.root().at('up'), input, 2), 1, { bias: false });
    expect([...trace.specs.keys()]).toEqual([
      'up.weight',
      'up.bias',
      'up.lora_A.weight',
      'up.lora_B.weight',
      'down.weight',
    ]);
    const adapted = new Map([
      ['up.weight', weights.weight],
      ['up.bias', weights.bias],
      ['up.lora_A.weight', float32([1, 3], [1, 2, 3])],
      ['up.lora_B.weight', float32([2, 1], [1, -1])],
      ['down.weight', float32([1, 2], [1, 100])],
    ]);
    // A x = -2, scaled by alpha/r = 2: the rows change by -4 and 4.
    expect(await run(trace.graph, y, new Map([...adapted, ['x', x]]))).toEqual([8 - 4 + 100 * (18 + 4)]);
    const merged = mergeLora(adapted, lora);
    expect([...merged.keys()]).toEqual(['up.weight', 'up.bias', 'down.weight']);
    expect(numbers(merged.get('up.weight'))).toEqual([3, 6, 9, 2, 1, 0]);
    expect(merged.get('down.weight')).toBe(adapted.get('down.weight'));
    expect(numbers(adapted.get('up.weight'))).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('starts an adapter that changes nothing', () => {
    const trace = new ParameterTrace(new Graph(), { lora: { r: 4, alpha: 8, targets: () => true } });
    linear(trace.root(), trace.graph.input('x', 'float32', ['B', 3]), 2);
    const store = allocateStore(trace.specs);
    initializeStore(store, 1);
    expect(numbers(store.tensors.get('lora_B.weight')).every((b) => b === 0)).toBe(true);
    expect(numbers(store.tensors.get('lora_A.weight')).some((a) => a !== 0)).toBe(true);
  });
});

describe('tables and rows', () => {
  it('embedding picks rows and splice replaces them', async () => {
    const trace = new ParameterTrace(new Graph());
    const { graph } = trace;
    const tokens = embedding(trace.root(), graph.input('ids', 'int32', ['B', 'T']), 3, 2);
    const y = splice(tokens, graph.input('at', 'int32', ['M']), graph.input('rows', 'float32', ['M', 2]));
    const feeds = {
      weight: float32([3, 2], [1, 1, 2, 2, 3, 3]),
      ids: int32([2, 2], [2, 0, 1, 2]),
      at: int32([1], [2]),
      rows: float32([1, 2], [8, 9]),
    };
    expect(await run(graph, y, feeds)).toEqual([3, 3, 1, 1, 8, 9, 3, 3]);
  });

  it('rowPositions counts in every row', async () => {
    const graph = new Graph();
    graph.input('x', 'float32', ['B', 'T']);
    const y = rowPositions(graph, 'B', 'T');
    expect(await run(graph, y, { x: float32([2, 3], new Float32Array(6)) })).toEqual([0, 1, 2, 0, 1, 2]);
  });

  it('rotaryTables turn slower from pair to pair', async () => {
    const graph = new Graph();
    const { cos, sin } = rotaryTables(graph, 3, rotaryFrequencies(4, 10000));
    const got = await evaluate(graph, { cos, sin });
    const angles = [0, 0, 1, 0.01, 2, 0.02];
    expect(maxAbsolute(numbers(got.get('cos')), angles.map(Math.cos))).toBeLessThan(1e-7);
    expect(maxAbsolute(numbers(got.get('sin')), angles.map(Math.sin))).toBeLessThan(1e-7);
  });

  it('bicubicGrid keeps constants, and grids of the same size', async () => {
    const graph = new Graph();
    const outputs = { same: bicubicGrid(graph, 3, 3, 3), wide: bicubicGrid(graph, 4, 4, 6) };
    const got = await evaluate(graph, outputs);
    const identity = Array.from({ length: 81 }, (_, i) => (i % 10 === 0 ? 1 : 0));
    expect(maxAbsolute(numbers(got.get('same')), identity)).toBeLessThan(1e-7);
    const wide = numbers(got.get('wide'));
    for (let row = 0; row < 24; row++) {
      expect(wide.slice(row * 16, row * 16 + 16).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
    }
  });
});
