import { describe, expect, it } from 'vitest';
import { add, Graph, gradients, matmul, reduceSum, tanh, type Value } from '../graph/index.ts';
import { runMemory } from './index.ts';

const FLOAT = 4;

/** `layers` residual layers on `x [B, 16]`, with the gradients of their weights. */
function stack(layers: number, recompute: boolean) {
  const graph = new Graph({ recompute });
  const weights = Array.from({ length: layers }, (_, i) => graph.input(`w${i}`, 'float32', [16, 16]));
  let x = graph.input('x', 'float32', ['B', 16]);
  for (const w of weights) {
    const before = x;
    x = graph.segment(() => {
      let inner = before;
      for (let i = 0; i < 4; i++) inner = tanh(matmul(inner, w));
      return add(before, inner);
    });
  }
  const loss = reduceSum(x);
  const outputs = new Map<string, Value>([['loss', loss]]);
  gradients(loss, weights).forEach((dw, i) => {
    if (dw) outputs.set(`dw${i}`, dw);
  });
  return outputs;
}

const activations = (layers: number, recompute: boolean, rows = 100) =>
  runMemory(stack(layers, recompute), new Map([['B', rows]])).activations / (rows * 16 * FLOAT);

describe('what a run keeps alive', () => {
  it('frees a result after its last reader, and writes over an operand that nobody else reads', () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', ['B', 4]);
    const w = graph.input('w', 'float32', [4, 4]);
    const size = (value: Value) => runMemory(new Map([['y', value]]), new Map([['B', 5]])).activations;
    const chain = (steps: number) => {
      let y = matmul(x, w);
      for (let i = 0; i < steps; i++) y = matmul(tanh(y), w);
      return y;
    };
    // One product is read while the next is written; the last lies in the caller's memory.
    expect(size(chain(1))).toBe(5 * 4 * FLOAT);
    expect(size(chain(8))).toBe(2 * 5 * 4 * FLOAT);
    expect(size(x)).toBe(0);
  });

  it('grows with the layers of a training step, by what each keeps', () => {
    // A layer keeps its four products' tanh; the sum of the residual is the next layer's start.
    expect(activations(12, false) - activations(8, false)).toBe(4 * 5);
    expect(activations(8, false, 200)).toBe(activations(8, false, 100));
  });

  it('grows with recomputation by the start of each layer alone', () => {
    expect(activations(12, true) - activations(8, true)).toBe(4);
    expect(activations(12, true)).toBeLessThan(0.4 * activations(12, false));
  });
});
