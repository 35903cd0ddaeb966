import { pullBack } from '../gradient.ts';
import type { Value } from '../node.ts';
import type { GradientContext, Op } from '../op.ts';

/** A function that ONNX Runtime has as one operator and that the primitives can also express. */
export interface FusedFunction<A> extends Omit<Op<A>, 'gradient'> {
  /** The same values from primitive operators: the definition that tests hold the fused form against. */
  decompose(inputs: readonly Value[], attrs: A): readonly Value[];
  /** A faster derivative than that of the decomposition, where there is one. */
  readonly gradient?: (context: GradientContext<A>) => readonly (Value | undefined)[];
}

/** Makes the function that builds it: fused, or decomposed when the graph's fusion is off. */
export function defineFused<A>(fused: FusedFunction<A>): (inputs: readonly Value[], attrs: A) => readonly Value[] {
  const op: Op<A> = {
    name: fused.name,
    infer: fused.infer,
    emit: fused.emit,
    gradient: fused.gradient ?? ((context) => throughDecomposition(fused, context)),
  };
  return (inputs, attrs) => {
    const graph = (inputs[0] as Value).node.graph;
    if (graph.fusion) return graph.applyAll(op, inputs, attrs);
    return fused.decompose(inputs, attrs);
  };
}

function throughDecomposition<A>(fused: FusedFunction<A>, { inputs, attrs, cotangents, wanted }: GradientContext<A>) {
  const graph = (inputs[0] as Value).node.graph;
  const from = graph.nodes.length;
  const outputs = fused.decompose(inputs, attrs);
  const seeds = outputs.flatMap((y, i) => (cotangents[i] ? [[y, cotangents[i]] as const] : []));
  const targets = inputs.filter((_, i) => wanted[i]);
  const found = pullBack(seeds, targets, from, graph.nodes.length);
  // An operand given twice has one cotangent, the sum; it is handed over once.
  return inputs.map((x, i) => (inputs.indexOf(x) === i ? found[targets.indexOf(x)] : undefined));
}
