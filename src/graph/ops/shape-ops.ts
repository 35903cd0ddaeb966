import {
  addDims,
  broadcastShapes,
  type Dim,
  type DType,
  divDims,
  dtypeInfo,
  formatShape,
  full,
  int64,
  resolveAxis,
  type Shape,
  sameShape,
  sizeOf,
  subDims,
  type Tensor,
} from '../../base/index.ts';
import type { Graph, Value } from '../node.ts';
import { type AnyOp, type Op, type Spec, sameDtype, shapeFault, type Values } from '../op.ts';

/** A 1-D int64 host tensor, the form in which ONNX takes axes and sizes. */
export function int64Vector(values: readonly number[]): Tensor {
  return int64([values.length], values);
}

/** An axis of `x` counted from the front; a fault names the operator that asks. */
export function axisOf(opName: string, x: Value, axis: number): number {
  return x.node.graph.explain(opName, [x], () => resolveAxis(axis, x.shape.length));
}

const reshapeOp: Op<{ shape: Shape }, [Value]> = {
  name: 'Reshape',
  infer([from], { shape }) {
    if (sizeOf(from.shape) !== sizeOf(shape)) {
      throw shapeFault('the sizes differ', { expected: `${sizeOf(from.shape)} elements`, got: formatShape(shape) });
    }
    return { shape, dtype: from.dtype };
  },
  gradient: ({ inputs: [x], cotangents: [dy] }) => [reshape(dy, x.shape)],
  emit: (e, [x], { shape }, { inputs: [from] }) => {
    // ONNX: 0 copies the input's dimension, -1 is inferred; a second unknown is computed at run time.
    const target = shape.map((d, i) => (typeof d === 'number' ? d : from.shape[i] === d ? 0 : -1));
    // A quotient may turn out to be 0, next to which nothing can be inferred.
    const vanishing = shape.some((d) => d === 0 || (typeof d === 'string' && d.includes('/')));
    const unknown = target.filter((d) => d === -1).length;
    if (unknown <= 1 && !vanishing) return e.node('Reshape', [x, e.constant(int64Vector(target))]);
    // A computed size may turn out to be 0, which then means nothing but 0.
    return e.node('Reshape', [x, e.dims(shape)], { allowzero: 1 });
  },
};

/** The same elements in another shape; one dimension may be -1. */
export function reshape(x: Value, shape: Shape): Value {
  const { graph } = x.node;
  const target = shape.includes(-1) ? graph.explain('Reshape', [x], () => inferDim(x.shape, shape)) : shape;
  return sameShape(x.shape, target) ? x : graph.apply(reshapeOp, [x], { shape: target });
}

function inferDim(from: Shape, shape: Shape): Shape {
  const known = sizeOf(shape.filter((d) => d !== -1));
  const rest = divDims(sizeOf(from), known);
  if (rest === undefined) {
    throw shapeFault('-1 cannot be inferred', { expected: `a divisor of ${sizeOf(from)}`, got: formatShape(shape) });
  }
  return shape.map((d) => (d === -1 ? rest : d));
}

const transposeOp: Op<{ order: readonly number[] }, [Value]> = {
  name: 'Transpose',
  infer([from], { order }) {
    if ([...order].sort((a, b) => a - b).some((axis, i) => axis !== i) || order.length !== from.shape.length) {
      throw shapeFault('the order is no permutation of the axes', { got: `${order}` });
    }
    return { shape: order.map((axis) => from.shape[axis] as Dim), dtype: from.dtype };
  },
  gradient: ({ cotangents: [dy], attrs: { order } }) => [
    transpose(
      dy,
      order.map((_, i) => order.indexOf(i)),
    ),
  ],
  emit: (e, [x], { order }) => e.node('Transpose', [x], { perm: order }),
};

/** Axes in another order; the default exchanges the last two. Transposes of transposes become one. */
export function transpose(x: Value, order?: readonly number[]): Value {
  const rank = x.shape.length;
  const perm = order ?? [...x.shape.keys()].map((i) => (i < rank - 2 ? i : 2 * rank - 3 - i));
  if (perm.every((axis, i) => axis === i)) return x;
  const { op, inputs, attrs, graph } = x.node;
  if (op !== (transposeOp as AnyOp)) return graph.apply(transposeOp, [x], { order: perm });
  const inner = (attrs as { order: readonly number[] }).order;
  return transpose(
    inputs[0] as Value,
    perm.map((axis) => inner[axis] as number),
  );
}

const concatOp: Op<{ axis: number }, Values> = {
  name: 'Concat',
  infer(inputs, { axis }) {
    const dtype = sameDtype(inputs);
    const first = inputs[0] as Spec;
    for (const x of inputs) {
      if (x.shape.length !== first.shape.length || x.shape.some((d, i) => i !== axis && d !== first.shape[i])) {
        throw shapeFault(`shapes differ outside axis ${axis}`, {
          expected: formatShape(first.shape),
          got: formatShape(x.shape),
        });
      }
    }
    const total = inputs.reduce<Dim>((n, x) => addDims(n, x.shape[axis] as Dim), 0);
    return { shape: first.shape.map((d, i) => (i === axis ? total : d)), dtype };
  },
  gradient({ inputs, cotangents: [dy], attrs: { axis }, wanted }) {
    let at: Dim = 0;
    return inputs.map((x, i) => {
      const from = at;
      at = addDims(at, x.shape[axis] as Dim);
      return wanted[i] ? slice(dy, axis, from, at) : undefined;
    });
  },
  emit: (e, x, { axis }) => e.node('Concat', x, { axis }),
};

/** Joins values along an axis. */
export function concat(values: readonly Value[], axis: number): Value {
  const [first] = values;
  if (!first) throw shapeFault('concat needs at least one value');
  if (values.length === 1) return first;
  return first.node.graph.apply(concatOp, values, { axis: axisOf('Concat', first, axis) });
}

const splitOp: Op<{ axis: number; sizes: readonly Dim[] }, [Value], Values> = {
  name: 'Split',
  infer([{ shape, dtype }], { axis, sizes }) {
    const total = sizes.reduce<Dim>((n, d) => addDims(n, d), 0);
    if (total !== shape[axis])
      throw shapeFault('the parts do not fill the axis', { expected: `${shape[axis]}`, got: `${total}` });
    return sizes.map((size) => ({ shape: shape.with(axis, size), dtype }));
  },
  gradient({ outputs, cotangents, attrs: { axis } }) {
    const none = ({ node, shape, dtype }: Value) => fill(node.graph, shape, dtype, 0);
    return [
      concat(
        outputs.map((y, i) => cotangents[i] ?? none(y)),
        axis,
      ),
    ];
  },
  emit: (e, [x], { axis, sizes }) => e.nodes('Split', sizes.length, [x, e.dims(sizes)], { axis }),
};

/** Cuts an axis into parts of these sizes, which may be symbolic. */
export function split(x: Value, axis: number, sizes: readonly Dim[]): readonly Value[] {
  if (sizes.length === 1) return [x];
  return x.node.graph.applyAll(splitOp, [x], { axis: axisOf('Split', x, axis), sizes });
}

interface SliceAttrs {
  readonly axis: number;
  readonly start: Dim;
  readonly end: Dim;
}

const sliceOp: Op<SliceAttrs, [Value]> = {
  name: 'Slice',
  infer([from], { axis, start, end }) {
    const size = subDims(end, start);
    const whole = from.shape[axis] as Dim;
    if ([start, size, subDims(whole, end)].some((d) => typeof d === 'number' && d < 0))
      throw shapeFault('the slice leaves the axis', { expected: `within 0..${whole}`, got: `${start}..${end}` });
    return { shape: from.shape.map((d, i) => (i === axis ? size : d)), dtype: from.dtype };
  },
  gradient: ({ inputs: [x], cotangents: [dy], attrs: { axis, start, end } }) => [
    pad(dy, axis, start, subDims(x.shape[axis] as Dim, end)),
  ],
  emit: (e, [x], { axis, start, end }) =>
    e.node('Slice', [x, e.dims([start]), e.dims([end]), e.constant(int64Vector([axis]))]),
};

/** Elements `start..end` of one axis; bounds may be symbolic and `end` defaults to the axis' end. */
export function slice(x: Value, axis: number, start: Dim, end?: Dim): Value {
  const at = axisOf('Slice', x, axis);
  const whole = x.shape[at] as Dim;
  const stop = end ?? whole;
  if (start === 0 && stop === whole) return x;
  return x.node.graph.apply(sliceOp, [x], { axis: at, start, end: stop });
}

interface PadAttrs {
  readonly axis: number;
  readonly before: Dim;
  readonly after: Dim;
  readonly value: number;
}

const padOp: Op<PadAttrs, [Value]> = {
  name: 'Pad',
  infer: ([{ shape, dtype }], { axis, before, after }) => ({
    shape: shape.map((d, i) => (i === axis ? addDims(addDims(d, before), after) : d)),
    dtype,
  }),
  gradient: ({ inputs: [x], cotangents: [dy], attrs: { axis, before } }) => [
    slice(dy, axis, before, addDims(before, x.shape[axis] as Dim)),
  ],
  emit: (e, [x], { axis, before, after, value }, { inputs: [{ shape, dtype }] }) => {
    const none = shape.map((): Dim => 0);
    const pads = [...none.with(axis, before), ...none.with(axis, after)];
    return e.node('Pad', [x, e.dims(pads), e.constant(full(dtype, [], value))]);
  },
};

/** Adds `before` and `after` constant elements along one axis. */
export function pad(x: Value, axis: number, before: Dim, after: Dim, value = 0): Value {
  if (before === 0 && after === 0) return x;
  return x.node.graph.apply(padOp, [x], { axis: axisOf('Pad', x, axis), before, after, value });
}

const expandOp: Op<{ shape: Shape }, [Value]> = {
  name: 'Expand',
  infer([from], { shape }) {
    const out = broadcastShapes(from.shape, shape);
    if (!out || !sameShape(out, shape)) {
      throw shapeFault('the value does not broadcast', { expected: formatShape(shape), got: formatShape(from.shape) });
    }
    return { shape, dtype: from.dtype };
  },
  // The sweep sums the cotangent back to the input's shape.
  gradient: ({ cotangents: [dy] }) => [dy],
  emit: (e, [x], { shape }) => e.node('Expand', [x, e.dims(shape)]),
};

/** Broadcasts to a larger shape. */
export function expand(x: Value, shape: Shape): Value {
  return sameShape(x.shape, shape) ? x : x.node.graph.apply(expandOp, [x], { shape });
}

const fillOp: Op<{ shape: Shape; dtype: DType; value: number }, []> = {
  name: 'Fill',
  infer: (_, { shape, dtype }) => ({ shape, dtype }),
  gradient: null,
  emit: (e, _, { shape, dtype, value }) => e.node('Expand', [e.constant(full(dtype, [1], value)), e.dims(shape)]),
};

/** A tensor of one repeated number; the shape may be symbolic. */
export function fill(graph: Graph, shape: Shape, dtype: DType, value: number): Value {
  return graph.apply(fillOp, [], { shape, dtype, value });
}

const iotaOp: Op<{ size: Dim }, []> = {
  name: 'Iota',
  infer: (_, { size }) => ({ shape: [size], dtype: 'int64' }),
  gradient: null,
  emit: (e, _, { size }) => {
    const one = e.constant(int64([], [1]));
    const end = e.node('Squeeze', [e.dims([size]), e.constant(int64Vector([0]))]);
    return e.node('Range', [e.constant(int64([], [0])), end, one]);
  },
};

/** 0, 1, ... size-1 as int64; the size may be symbolic. */
export function iota(graph: Graph, size: Dim): Value {
  return graph.apply(iotaOp, [], { size });
}

const sizeScalarOp: Op<{ size: Dim; dtype: DType }, []> = {
  name: 'Size',
  infer: (_, { dtype }) => ({ shape: [], dtype }),
  gradient: null,
  emit: (e, _, { size, dtype }) => {
    const scalar = e.node('Squeeze', [e.dims([size]), e.constant(int64Vector([0]))]);
    return e.node('Cast', [scalar], { to: dtypeInfo[dtype].onnx });
  },
};

/** A dimension as a scalar of the dtype of `like`. */
export function sizeScalar(like: Value, size: Dim): Value {
  return like.node.graph.apply(sizeScalarOp, [], { size, dtype: like.dtype });
}
