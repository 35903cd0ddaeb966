import { type Dim, mulDims, type Shape } from '../../base/index.ts';
import type { Value } from '../node.ts';
import { type Op, shapeFault } from '../op.ts';
import { cast, div, equal, mul, neg } from './elementwise.ts';
import { axisOf, expand, int64Vector, reshape, sizeScalar } from './shape-ops.ts';

interface ReduceAttrs {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

function reducedShape(shape: Shape, { axes, keepDims }: ReduceAttrs): Shape {
  return keepDims ? shape.map((d, i) => (axes.includes(i) ? 1 : d)) : shape.filter((_, i) => !axes.includes(i));
}

type Reduction = Op<ReduceAttrs, [Value]>;

function reduction(onnx: string, rule: (x: Value, y: Value, dy: Value, attrs: ReduceAttrs) => Value): Reduction {
  return {
    name: onnx,
    infer([x], attrs) {
      const { axes } = attrs;
      if (new Set(axes).size !== axes.length) throw shapeFault('an axis is given twice', { got: `${axes}` });
      return { shape: reducedShape(x.shape, attrs), dtype: x.dtype };
    },
    gradient: ({ inputs: [x], outputs: [y], cotangents: [dy], attrs }) => {
      const kept = reducedShape(x.shape, { ...attrs, keepDims: true });
      return [rule(x, reshape(y, kept), reshape(dy, kept), attrs)];
    },
    emit: (e, [x], { axes, keepDims }) =>
      e.node(onnx, [x, e.constant(int64Vector(axes))], { keepdims: keepDims ? 1 : 0 }),
  };
}

const sumOp = reduction('ReduceSum', (x, _, dy) => expand(dy, x.shape));
const meanOp = reduction('ReduceMean', (x, _, dy, { axes }) => expand(div(dy, countOf(x, axes)), x.shape));
// The cotangent goes to every maximal element, shared equally, as PyTorch's amax does.
const maxOp = reduction('ReduceMax', (x, y, dy, { axes }) => {
  const hit = cast(equal(x, expand(y, x.shape)), x.dtype);
  return mul(hit, div(dy, reduceSum(hit, axes, true)));
});

function countOf(x: Value, axes: readonly number[]): Value | number {
  const count = axes.reduce<Dim>((n, a) => mulDims(n, x.shape[a] as Dim), 1);
  return typeof count === 'number' ? count : sizeScalar(x, count);
}

function reduceWith(op: Reduction) {
  return (x: Value, axes?: number | readonly number[], keepDims = false): Value => {
    const list = axes === undefined ? x.shape.map((_, i) => i) : typeof axes === 'number' ? [axes] : axes;
    const resolved = list.map((a) => axisOf(op.name, x, a)).sort((a, b) => a - b);
    return resolved.length === 0 ? x : x.node.graph.apply(op, [x], { axes: resolved, keepDims });
  };
}

type Reduce = (x: Value, axes?: number | readonly number[], keepDims?: boolean) => Value;
/** Sum over the axes (all when omitted). */
export const reduceSum: Reduce = reduceWith(sumOp);
export const reduceMean: Reduce = reduceWith(meanOp);
export const reduceMax: Reduce = reduceWith(maxOp);
/** `-max(-x)`: one rule for both. */
export const reduceMin: Reduce = (x, axes, keepDims) => neg(reduceMax(neg(x), axes, keepDims));

const argMaxOp: Op<{ axis: number }, [Value]> = {
  name: 'ArgMax',
  infer: ([x], { axis }) => ({ shape: x.shape.filter((_, i) => i !== axis), dtype: 'int64' }),
  gradient: null,
  emit: (e, [x], { axis }) => e.node('ArgMax', [x], { axis, keepdims: 0 }),
};

/** Index of the first largest element along the axis, int64. */
export function argMax(x: Value, axis = -1): Value {
  return x.node.graph.apply(argMaxOp, [x], { axis: axisOf('ArgMax', x, axis) });
}

const cumSumOp: Op<{ axis: number; reverse: boolean }, [Value]> = {
  name: 'CumSum',
  infer: ([x]) => x,
  gradient: ({ cotangents: [dy], attrs: { axis, reverse } }) => [cumSum(dy, axis, !reverse)],
  emit: (e, [x], { axis, reverse }) =>
    e.node('CumSum', [x, e.constant(int64Vector([axis]))], { reverse: reverse ? 1 : 0 }),
};

/** Inclusive running sum along the axis, from the end when `reverse`. */
export function cumSum(x: Value, axis: number, reverse = false): Value {
  return x.node.graph.apply(cumSumOp, [x], { axis: axisOf('CumSum', x, axis), reverse });
}
