import { pullBack } from '../gradient.ts';
import type { Value } from '../node.ts';
import type { Each, Gradient, GradientContext, Op, Values } from '../op.ts';

type Operands = readonly [Value, ...Value[]];

/** A function that ONNX Runtime has as one operator and that the primitives can also express. */
export interface FusedFunction<A, I extends Operands, O extends Values> extends Omit<Op<A, I, O>, 'gradient'> {
  /** The same values from primitive operators: the definition that tests hold the fused form against. */
  decompose(inputs: I, attrs: A): O;
  /** A faster derivative than that of the decomposition, where there is one. */
  readonly gradient?: Gradient<A, I, O>;
}

/** Makes the function that builds it: fused, or decomposed when the graph's fusion is off. */
export function defineFused<A, I extends Operands, O extends Values = readonly [Value]>(
  fused: FusedFunction<A, I, O>,
): (inputs: I, attrs: A) => O {
  const op: Op<A, I, O> = {
    name: fused.name,
    infer: fused.infer,
    emit: fused.emit,
    gradient: fused.gradient ?? ((context) => throughDecomposition(fused, context)),
  };
  return (inputs, attrs) => {
    const { graph } = inputs[0].node;
    if (graph.fusion) return graph.applyAll(op, inputs, attrs);
    return fused.decompose(inputs, attrs);
  };
}

function throughDecomposition<A, I extends Operands, O extends Values>(
  fused: FusedFunction<A, I, O>,
  { inputs, attrs, cotangents, wanted }: GradientContext<A, I, O>,
): Each<I, Value | undefined> {
  const { graph } = inputs[0].node;
  const from = graph.nodes.length;
  const outputs = fused.decompose(inputs, attrs);
  const seeds = outputs.flatMap((y, i) => (cotangents[i] ? [[y, cotangents[i]] as const] : []));
  const targets = inputs.filter((_, i) => wanted[i]);
  const found = pullBack(seeds, targets, from, graph.nodes.length);
  // An operand given twice has one cotangent, the sum; it is handed over once.
  const cotangentOf = (x: Value, i: number) => (inputs.indexOf(x) === i ? found[targets.indexOf(x)] : undefined);
  return inputs.map(cotangentOf) as readonly (Value | undefined)[] as Each<I, Value | undefined>;
}
