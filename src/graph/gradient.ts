import { formatShape, sameShape, TesseraError } from '../base/index.ts';
import type { Node, Segment, Value } from './node.ts';
import { isFloat } from './op.ts';
import { add, scalar } from './ops/elementwise.ts';
import { reduceSum } from './ops/reduce.ts';
import { reshape } from './ops/shape-ops.ts';
import { isLeaf, remake } from './recompute.ts';

/**
 * Cotangents of a scalar loss for the given values, by one backward loop over the append-only graph; undefined for a
 * value that the loss does not reach.
 * @throws TesseraError `graph/no-gradient` when an operator without a derivative lies on the way.
 */
export function gradients(loss: Value, wrt: readonly Value[]): (Value | undefined)[] {
  if (loss.shape.length !== 0) {
    throw new TesseraError({
      code: 'graph/loss-shape',
      message: 'only a scalar can be differentiated',
      path: loss.node.path,
      expected: '[]',
      got: formatShape(loss.shape),
    });
  }
  return pullBack([[loss, scalar(loss, 1)]], wrt, 0, loss.node.id + 1);
}

/**
 * Pulls cotangents of some values back to others through the nodes `from..to`; undefined where nothing flows.
 * Broadcasting is undone here and nowhere else.
 */
export function pullBack(
  seeds: readonly (readonly [Value, Value])[],
  wrt: readonly Value[],
  from: number,
  to: number,
): (Value | undefined)[] {
  const graph = (wrt[0] ?? seeds[0]?.[0])?.node.graph;
  if (!graph) return [];
  const active = new Set<Value>(wrt);
  for (const node of graph.nodes.slice(from, to)) {
    // Integers carry no gradient, and neither does anything behind a deliberate stop.
    if (node.op.name === 'StopGradient' || !node.inputs.some((x) => active.has(x))) continue;
    for (const output of node.outputs) if (isFloat(output.dtype)) active.add(output);
  }
  const cotangents = new Map<Value, Value>();
  const accumulate = (value: Value, cotangent: Value) => {
    const fitted = sumTo(cotangent, value);
    const sofar = cotangents.get(value);
    cotangents.set(value, sofar ? add(sofar, fitted) : fitted);
  };
  for (const [value, cotangent] of seeds) accumulate(value, cotangent);
  for (let id = to - 1; id >= from; id--) {
    const segment = graph.segments.get(id);
    if (segment && segment.from >= from) {
      for (const [value, cotangent] of throughSegment(segment, cotangents, active)) cotangents.set(value, cotangent);
      id = segment.from;
      continue;
    }
    const node = graph.nodes[id] as Node;
    const incoming = node.outputs.map((y) => cotangents.get(y));
    if (!incoming.some(Boolean) || !node.inputs.some((x) => active.has(x))) continue;
    if (node.op.name === 'StopGradient') continue;
    const outgoing = graph.within(`gradient/${node.path}`, () => differentiate(node, incoming, active));
    node.inputs.forEach((x, i) => {
      const cotangent = outgoing[i];
      if (cotangent && active.has(x)) accumulate(x, cotangent);
    });
  }
  return wrt.map((value) => cotangents.get(value));
}

/**
 * Cotangents of what a segment reads, pulled through a copy of it that is made for this alone. What they have got from
 * elsewhere is the start of their sums, so that these are the very sums of a sweep through the segment itself.
 */
function throughSegment(
  segment: Segment,
  cotangents: ReadonlyMap<Value, Value>,
  active: ReadonlySet<Value>,
): (readonly [Value, Value])[] {
  const inside = ({ node }: Value) => node.id >= segment.from && node.id < segment.to && !isLeaf(node);
  const outputs = [...cotangents.keys()].filter((value) => inside(value) && active.has(value));
  const trigger = cotangents.get(outputs[0] as Value);
  if (!trigger) return [];
  const { twins, from, to } = remake(segment, trigger);
  const read = [...twins.keys()].filter((value) => !inside(value) && active.has(value));
  const twin = (value: Value) => twins.get(value) as Value;
  const seeds = [...outputs, ...read].flatMap((value) => {
    const cotangent = cotangents.get(value);
    return cotangent ? [[twin(value), cotangent] as const] : [];
  });
  const found = pullBack(seeds, read.map(twin), from, to);
  return read.flatMap((value, i) => (found[i] ? [[value, found[i]] as const] : []));
}

function differentiate(
  node: Node,
  cotangents: readonly (Value | undefined)[],
  active: ReadonlySet<Value>,
): readonly (Value | undefined)[] {
  if (!node.op.gradient) {
    throw new TesseraError({
      code: 'graph/no-gradient',
      message: `${node.op.name} has no derivative`,
      path: node.path,
      remedy: 'stop the gradient before it, or use a straight-through estimate',
    });
  }
  const wanted = node.inputs.map((x) => active.has(x));
  return node.op.gradient({ inputs: node.inputs, outputs: node.outputs, attrs: node.attrs, cotangents, wanted });
}

/** Sums a cotangent over the axes along which `value` was broadcast. */
function sumTo(cotangent: Value, value: Value): Value {
  if (sameShape(cotangent.shape, value.shape)) return cotangent;
  const extra = cotangent.shape.length - value.shape.length;
  const axes: number[] = [];
  cotangent.shape.forEach((d, i) => {
    if (i < extra || (value.shape[i - extra] === 1 && d !== 1)) axes.push(i);
  });
  return reshape(reduceSum(cotangent, axes), value.shape);
}
