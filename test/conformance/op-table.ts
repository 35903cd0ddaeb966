import { type Dim, mulDims } from '../../src/base/index.ts';
import * as g from '../../src/graph/index.ts';
import type { Values } from '../support/check-op.ts';
import { type CompositionAttrs, compositionTable } from './composition-table.ts';

type Value = g.Value;
type Pair = readonly [number, number];

/** Attributes of a case of the fixture; each operator reads its own. */
export interface Attrs {
  readonly axis: number;
  readonly axes: readonly number[];
  readonly keepdims: boolean;
  readonly shape: readonly number[];
  readonly perm: readonly number[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly steps: readonly number[];
  readonly pads: readonly Pair[];
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly eps: number;
  readonly reduction: 'none' | 'add';
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly alpha: number;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly outputPadding: Pair;
  readonly groups: number;
}

/** How an operator of the fixture is said with the graph's functions. */
type Build = (v: Values, attrs: Attrs & CompositionAttrs) => Value;

const unary =
  (f: (x: Value) => Value): Build =>
  (v) =>
    f(at(v, 'x'));
const binary =
  (f: (a: Value, b: Value) => Value): Build =>
  (v) =>
    f(at(v, 'a'), at(v, 'b'));
const reduce =
  (f: typeof g.reduceSum): Build =>
  (v, { axes, keepdims }) =>
    f(at(v, 'x'), axes, keepdims);

const at = (v: Values, name: string) => v[name] as Value;

export const opTable: Readonly<Record<string, Build>> = {
  ...compositionTable,
  add: binary(g.add),
  sub: binary(g.sub),
  mul: binary(g.mul),
  div: binary(g.div),
  // A tensor exponent has no operator of its own: a^b = e^(b log a) for positive a.
  pow: (v) => (v.b ? g.exp(g.mul(v.b, g.log(at(v, 'a')))) : g.pow(at(v, 'a'), 2)),
  neg: unary(g.neg),
  exp: unary(g.exp),
  log: unary(g.log),
  sqrt: unary(g.sqrt),
  reciprocal: unary(g.reciprocal),
  tanh: unary(g.tanh),
  sigmoid: unary(g.sigmoid),
  erf: unary(g.erf),
  sin: unary(g.sin),
  cos: unary(g.cos),
  abs: unary(g.abs),
  relu: unary(g.relu),
  max: binary(g.maximum),
  min: binary(g.minimum),
  where: (v) => g.where(at(v, 'cond'), at(v, 'a'), at(v, 'b')),
  clip: (v, { min, max }) => g.minimum(g.maximum(at(v, 'x'), min), max),
  reduceSum: reduce(g.reduceSum),
  reduceMean: reduce(g.reduceMean),
  reduceMax: reduce(g.reduceMax),
  reduceMin: reduce(g.reduceMin),
  cumsum: (v, { axis }) => g.cumSum(at(v, 'x'), axis),
  reshape: (v, { shape }) => g.reshape(at(v, 'x'), [-1, ...shape.slice(1)]),
  transpose: (v, { perm }) => g.transpose(at(v, 'x'), perm),
  concat: (v, { axis }) => g.concat(Object.values(v), axis),
  slice: (v, attrs) => attrs.axes.reduce((x, axis, i) => sliceAxis(x, axis, i, attrs), at(v, 'x')),
  expand: (v, { shape }) => g.expand(at(v, 'x'), shape),
  pad: (v, { pads, value }) =>
    pads.reduce((x, [before, after], axis) => g.pad(x, axis, before, after, value), at(v, 'x')),
  gather: (v, { axis }) => g.gather(at(v, 'x'), at(v, 'indices'), axis),
  gatherND: ({ x, indices }) => {
    const { rows, index } = flatRows(x as Value, indices as Value);
    return g.gather(rows, index);
  },
  scatterND: ({ x, indices, updates }, { reduction }) => {
    const { rows, index } = flatRows(x as Value, indices as Value);
    const scatter = reduction === 'add' ? g.scatterAddRows : g.scatterRows;
    const shaped = g.reshape(updates as Value, [...index.shape, ...rows.shape.slice(1)]);
    return g.reshape(scatter(rows, index, shaped), (x as Value).shape);
  },
  gatherElements: ({ x, indices }, { axis }) =>
    axis === 1
      ? g.gatherElements(x as Value, indices as Value)
      : g.transpose(g.gatherElements(g.transpose(x as Value), g.transpose(indices as Value))),
  matmul: (v, { transposeA, transposeB, alpha }) =>
    g.matmul(at(v, 'a'), at(v, 'b'), { transA: transposeA, transB: transposeB, alpha }),
  conv2d: (v, attrs) => withBias(g.conv2d(at(v, 'x'), at(v, 'w'), attrs), v.b),
  convTranspose2d: (v, attrs) => withBias(g.convTranspose2d(at(v, 'x'), at(v, 'w'), attrs), v.b),
  avgPool2d: (v, { kernel, stride }) => g.avgPool2d(at(v, 'x'), kernel[0], stride[0]),
  maxPool2d: (v, { kernel, stride }) => g.maxPool2d(at(v, 'x'), kernel[0], stride[0]),
  softmax: (v, { axis }) => alongLast(at(v, 'x'), axis, g.softmax),
  logSoftmax: (v, { axis }) => alongLast(at(v, 'x'), axis, g.logSoftmax),
  // A row that hides everything would be uniform; the mask makes it zero.
  maskedSoftmax: ({ x, mask }) =>
    g.mul(g.softmax(g.where(mask as Value, x as Value, -1e9)), g.cast(mask as Value, 'float32')),
  layerNorm: (v, { eps }) => g.layerNorm(at(v, 'x'), v.weight, v.bias, eps),
  rmsNorm: (v, { eps }) => g.rmsNorm(at(v, 'x'), at(v, 'weight'), eps),
  geluErf: unary(g.gelu),
  geluTanh: unary(g.geluTanh),
  quickGelu: unary(g.quickGelu),
  silu: unary(g.silu),
  rotary: ({ x, cos, sin }) => rotary(x as Value, cos as Value, sin as Value),
  crossEntropy: ({ logits, targets, weights }) =>
    g.neg(g.reduceSum(g.mul(g.tokenLogProb(logits as Value, targets as Value), weights as Value))),
};

/** Steps of more than one are rows picked by index. */
function sliceAxis(x: Value, axis: number, i: number, { starts, ends, steps }: Attrs): Value {
  const [start, end, step] = [starts[i], ends[i], steps[i]] as [number, number, number];
  const from = start < 0 ? start + (x.shape[axis] as number) : start;
  if (step === 1) return g.slice(x, axis, from, end);
  const count = Math.ceil((end - from) / step);
  return g.gather(x, g.add(g.mul(g.iota(x.node.graph, count), step), from), axis);
}

/** Index tuples `[M, k]` over the first k axes as row numbers `[M]` of `x` with those axes made one. */
function flatRows(x: Value, tuples: Value): { rows: Value; index: Value } {
  const depth = tuples.shape[1] as number;
  const columns = Array.from({ length: depth }, (_, k) =>
    g.reshape(g.slice(tuples, 1, k, k + 1), [tuples.shape[0] as Dim]),
  );
  const index = columns.reduce((row, column, k) => g.add(g.mul(row, x.shape[k] as number), column));
  return { rows: g.reshape(x, [-1, ...x.shape.slice(depth)]), index };
}

function withBias(y: Value, bias: Value | undefined): Value {
  return bias ? g.add(y, g.reshape(bias, [bias.shape[0] as Dim, 1, 1])) : y;
}

function alongLast(x: Value, axis: number, f: (x: Value) => Value): Value {
  if (axis === -1 || axis === x.shape.length - 1) return f(x);
  const order = [...x.shape.keys()];
  [order[axis], order[order.length - 1]] = [order.length - 1, axis];
  return g.transpose(f(g.transpose(x, order)), order);
}

/** The fixture has heads before tokens and tables of whole heads, of one row or of every row. */
function rotary(x: Value, cos: Value, sin: Value): Value {
  const [b, heads, t, size] = x.shape as [Dim, number, number, number];
  const half = (table: Value) => g.slice(g.reshape(table, [-1, size]), 1, 0, size / 2);
  const shared = cos.shape.length === 2;
  const count = g.iota(x.node.graph, shared ? t : mulDims(b, t));
  const positions = shared ? g.expand(g.reshape(count, [1, t]), [b, t]) : g.reshape(count, [b, t]);
  const rows = g.reshape(g.transpose(x, [0, 2, 1, 3]), [b, t, heads * size]);
  const turned = g.rotary(rows, positions, half(cos), half(sin), heads);
  return g.transpose(g.reshape(turned, [b, t, heads, size]), [0, 2, 1, 3]);
}
