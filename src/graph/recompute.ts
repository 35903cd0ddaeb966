import type { Node, Segment, Value } from './node.ts';
import { isFloat, type Op, type Values } from './op.ts';
import { int64Vector } from './ops/shape-ops.ts';

/**
 * Gives the values of `x` on, but not before the last input is known. ONNX Runtime merges equal computations and orders
 * nodes as it likes; what is computed from these values can neither be merged with an earlier twin nor run earlier.
 */
const afterOp: Op<null, Values, Values> = {
  name: 'After',
  infer: (inputs) => inputs.slice(0, -1),
  gradient: ({ cotangents }) => [...cotangents, undefined],
  // The position of the largest of one element is 0, which no optimizer knows; no pass is made over any data.
  emit: (e, inputs) => {
    const flat = e.node('Reshape', [inputs.at(-1) as string, e.constant(int64Vector([-1]))]);
    const first = e.node('Gather', [flat, e.constant(int64Vector([0]))], { axis: 0 });
    const zero = e.node('ArgMax', [first], { axis: 0, keepdims: 1 });
    return inputs.slice(0, -1).map((x) => {
      const shape = e.node('Add', [e.node('Shape', [x]), zero]);
      return e.node('Reshape', [x, shape], { allowzero: 1 });
    });
  },
};

/** A segment computed once more. */
export interface Remade {
  /** What stands for each value of the segment, and for each that it reads. */
  readonly twins: ReadonlyMap<Value, Value>;
  /** The new nodes are `from..to`. */
  readonly from: number;
  readonly to: number;
}

/**
 * Appends a copy of a segment that runs only once `trigger` is known (Chen et al. 2016, "Training deep nets with
 * sublinear memory cost"). Parameters and constants are read as they are, everything else through `After`.
 */
export function remake(segment: Segment, trigger: Value): Remade {
  const { graph } = trigger.node;
  const nodes = graph.nodes.slice(segment.from, segment.to).filter((node) => !isLeaf(node));
  const inside = new Set(nodes);
  const read = new Set(nodes.flatMap((node) => node.inputs.filter((x) => !inside.has(x.node))));
  const held = [...read].filter((x) => !isParameter(x));
  const again = held.length > 0 ? graph.applyAll(afterOp, [...held, trigger], null) : [];
  const twins = new Map<Value, Value>([...read].map((x) => [x, again[held.indexOf(x)] ?? x]));
  const from = graph.nodes.length;
  for (const node of nodes) {
    const inputs = node.inputs.map((x) => twins.get(x) as Value);
    const outputs = graph.within(`again/${node.path}`, () => graph.applyAll(node.op, inputs, node.attrs));
    node.outputs.forEach((y, i) => {
      twins.set(y, outputs[i] as Value);
    });
  }
  return { twins, from, to: graph.nodes.length };
}

/** True for what a graph is given, wherever its node happens to stand. */
export function isLeaf({ op }: Node): boolean {
  return op.name === 'Input' || op.name === 'Constant';
}

/** What is computed from parameters and constants alone is small; integers, such as seeds, become whole masks. */
function isParameter(x: Value): boolean {
  return x.node.op.name === 'Constant' || (x.node.op.name === 'Input' && isFloat(x.dtype));
}
