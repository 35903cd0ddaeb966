import type { Tensor } from '../../src/base/index.ts';
import { encodeModel, type OnnxInitializer, type OnnxNode, type OnnxPort } from '../../src/onnx/index.ts';
import type { NodeBackend } from '../../src/runtime/engine.ts';

export const backends: readonly NodeBackend[] = ['c-api', 'binding'];

interface Parts {
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
  readonly initializers?: readonly OnnxInitializer[];
}

export function model(parts: Parts): Uint8Array {
  return encodeModel({
    irVersion: 10,
    opsets: { '': 21 },
    producer: 'tessera',
    metadata: {},
    graph: { name: 'test', initializers: [], ...parts },
  });
}

export function node(opType: string, inputs: readonly string[], outputs: readonly string[]): OnnxNode {
  return { opType, domain: '', name: `test/${opType}/${outputs[0]}`, inputs, outputs, attributes: {} };
}

export function castNode(input: string, output: string, to: number): OnnxNode {
  return { ...node('Cast', [input], [output]), attributes: { to: { type: 'int', value: to } } };
}

/** sum = a + b and product = a * b over `[B, T]`. */
export const sumAndProduct = model({
  nodes: [node('Add', ['a', 'b'], ['sum']), node('Mul', ['a', 'b'], ['product'])],
  inputs: [
    { name: 'a', dtype: 'float32', shape: ['B', 'T'] },
    { name: 'b', dtype: 'float32', shape: ['B', 'T'] },
  ],
  outputs: [
    { name: 'sum', dtype: 'float32', shape: ['B', 'T'] },
    { name: 'product', dtype: 'float32', shape: ['B', 'T'] },
  ],
});

/** Where x is not zero: `[1, K]`, with K decided by the values. */
export const nonZero = model({
  nodes: [node('NonZero', ['x'], ['where'])],
  inputs: [{ name: 'x', dtype: 'float32', shape: ['N'] }],
  outputs: [{ name: 'where', dtype: 'int64', shape: [1, 'K'] }],
});

/** x multiplied by itself `steps` times, `[N, N]`: as slow as is asked for. */
export function power(steps: number): Uint8Array {
  const names = ['x', ...Array.from({ length: steps - 1 }, (_, i) => `h${i}`), 'y'];
  return model({
    nodes: names.slice(1).map((name, i) => node('MatMul', [names[i] as string, 'x'], [name])),
    inputs: [{ name: 'x', dtype: 'float32', shape: ['N', 'N'] }],
    outputs: [{ name: 'y', dtype: 'float32', shape: ['N', 'N'] }],
  });
}

export function feeds(tensors: Readonly<Record<string, Tensor>>): Map<string, Tensor> {
  return new Map(Object.entries(tensors));
}
