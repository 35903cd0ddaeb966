import { type Dim, dtypeInfo, evaluateDim } from '../base/index.ts';
import type { Node, Value } from '../graph/index.ts';

/** What a run of a graph takes while it lasts. */
export interface RunMemory {
  /** Most bytes of intermediate results that are alive at once. */
  readonly activations: number;
  /** Operators that run. */
  readonly nodes: number;
}

/**
 * Foretells the memory of a run, from its graph alone: nodes are put in ONNX Runtime's order, every result is made when
 * its node runs and freed after its last reader. Fed tensors and outputs lie in memory of the caller.
 * @param sizes every named size, such as those of the largest batch.
 */
export function runMemory(outputs: ReadonlyMap<string, Value>, sizes: ReadonlyMap<string, number>): RunMemory {
  const order = executionOrder([...outputs.values()]);
  const elsewhere = new Set(outputs.values());
  const owners = new Map<Value, Value>();
  const ownerOf = (value: Value) => owners.get(value) ?? value;
  const bytes = new Map<Value, number>();
  const readers = readersOf(order);
  let [live, peak] = [0, 0];
  for (const node of order) {
    for (const [i, value] of node.outputs.entries()) {
      const given = isView(node) ? node.inputs[i] : dyingTwin(node, value);
      if (given) {
        const owner = ownerOf(given);
        owners.set(value, owner);
        readers.set(owner, (readers.get(owner) ?? 0) + (readers.get(value) ?? 0));
        continue;
      }
      const size = elsewhere.has(value) ? 0 : bytesOf(value, sizes);
      bytes.set(value, size);
      live += size;
    }
    peak = Math.max(peak, live);
    for (const input of node.inputs) free(ownerOf(input), 1);
    for (const value of node.outputs) if (!readers.get(ownerOf(value))) free(ownerOf(value), 0);
  }
  return { activations: peak, nodes: order.length };

  function free(owner: Value, reads: number): void {
    const left = (readers.get(owner) ?? 0) - reads;
    readers.set(owner, left);
    if (left > 0) return;
    live -= bytes.get(owner) ?? 0;
    bytes.delete(owner);
  }

  /** An elementwise operator writes over an operand of its result's size that nobody else will read. */
  function dyingTwin(node: Node, value: Value): Value | undefined {
    if (!inPlace.has(node.op.name) || elsewhere.has(value)) return undefined;
    return node.inputs.find((x) => {
      const owner = ownerOf(x);
      return readers.get(owner) === 1 && bytes.get(owner) === bytesOf(value, sizes) && x.dtype === value.dtype;
    });
  }
}

/** Operators whose kernels may write their result over an operand. */
const inPlace = new Set(
  'Add Sub Mul Div Max Min Neg Exp Log Sqrt Reciprocal Tanh Sigmoid Erf Abs Relu Sin Cos Softmax LogSoftmax'.split(' '),
);

/** Operators that move no data: each output is the input at its place under another shape. */
function isView({ op }: Node): boolean {
  return op.name === 'Reshape' || op.name === 'StopGradient' || op.name === 'After';
}

function bytesOf({ shape, dtype }: Value, sizes: ReadonlyMap<string, number>): number {
  return shape.reduce((n: number, dim: Dim) => n * evaluateDim(dim, sizes), dtypeInfo[dtype].bytes);
}

function readersOf(order: readonly Node[]): Map<Value, number> {
  const readers = new Map<Value, number>();
  for (const { inputs } of order) for (const x of inputs) readers.set(x, (readers.get(x) ?? 0) + 1);
  return readers;
}

/**
 * ONNX Runtime's order of a lowered graph: depth first from the leaves, the last listed first and likewise their inputs.
 * Lowering lists leaves in reverse, so they are taken in the graph's own order here.
 */
function executionOrder(outputs: readonly Value[]): Node[] {
  const roots = [...new Set(outputs.map(({ node }) => node))].sort((a, b) => b.id - a.id);
  const order: Node[] = [];
  const seen = new Set<Node>();
  const stack = roots.map((node) => ({ node, done: false }));
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { node, done } = next;
    if (done) order.push(node);
    else if (!seen.has(node)) {
      seen.add(node);
      stack.push({ node, done: true });
      const inputs = [...new Set(node.inputs.map((x) => x.node))].sort((a, b) => a.id - b.id);
      for (const input of inputs) if (!seen.has(input)) stack.push({ node: input, done: false });
    }
  }
  return order.filter(({ op }) => op.name !== 'Input' && op.name !== 'Constant');
}
