import { type Dim, formatShape, sameShape } from '../../base/index.ts';
import type { Value } from '../node.ts';
import { sameDtype, shapeFault } from '../op.ts';
import { add, exp, log, mul, neg, sub } from '../ops/elementwise.ts';
import { gatherElements, scatterAddElements } from '../ops/index-ops.ts';
import { matmul } from '../ops/matmul.ts';
import { reduceMax, reduceSum } from '../ops/reduce.ts';
import { int64Vector, reshape } from '../ops/shape-ops.ts';
import { defineFused } from './fused.ts';

const softmaxFused = defineFused<null, [Value]>({
  name: 'Softmax',
  infer: ([x]) => x,
  decompose: ([x]) => [exp(shiftedLog(x))],
  // dx = y (dy - sum(dy y))
  gradient: ({ outputs: [y], cotangents: [dy] }) => {
    const weighted = mul(dy, y);
    return [mul(y, sub(dy, reduceSum(weighted, -1, true)))];
  },
  emit: (e, x) => e.node('Softmax', x, { axis: -1 }),
});

type Kept = [y: Value, kept: Value];

const softmaxMatmulFused = defineFused<null, [scores: Value, values: Value], Kept>({
  name: 'SoftmaxMatMul',
  infer([s, v]) {
    const outer = sameShape(s.shape.slice(0, -2), v.shape.slice(0, -2));
    if (!outer || s.shape.at(-1) !== v.shape.at(-2)) {
      throw shapeFault('scores and values do not fit', {
        expected: `values [.., ${s.shape.at(-1)}, d] under the same outer axes`,
        got: formatShape(v.shape),
      });
    }
    // The second output is the softmax, kept for the derivative.
    return [{ shape: s.shape.with(-1, v.shape.at(-1) as Dim), dtype: sameDtype([s, v]) }, s];
  },
  decompose([scores, values]) {
    const p = exp(shiftedLog(scores));
    return [matmul(p, values), p];
  },
  // The row sums of dP * P, which a softmax subtracts, are those of dO * O: the product that is not T x T.
  gradient({ inputs: [, values], outputs: [o, weights], cotangents: [dy, kept], wanted }) {
    const direct = dy && matmul(dy, values, { transB: true });
    const dp = direct && kept ? add(direct, kept) : ((direct ?? kept) as Value);
    const sums = [dy && mul(dy, o), kept && mul(kept, weights)]
      .flatMap((x) => (x ? [reduceSum(x, -1, true)] : []))
      .reduce((a, b) => add(a, b));
    return [
      wanted[0] ? mul(weights, sub(dp, sums)) : undefined,
      wanted[1] && dy ? matmul(weights, dy, { transA: true }) : undefined,
    ];
  },
  emit: (e, [scores, values]) => {
    const p = e.node('Softmax', [scores], { axis: -1 });
    return [e.node('MatMul', [p, values]), p];
  },
});

const logSoftmaxFused = defineFused<null, [Value]>({
  name: 'LogSoftmax',
  infer: ([x]) => x,
  decompose: ([x]) => [shiftedLog(x)],
  // dx = dy - softmax(x) sum(dy)
  gradient: ({ outputs: [y], cotangents: [dy] }) => [sub(dy, mul(exp(y), reduceSum(dy, -1, true)))],
  emit: (e, x) => e.node('LogSoftmax', x, { axis: -1 }),
});

const tokenLogProbFused = defineFused<null, [logits: Value, ids: Value], Kept>({
  name: 'TokenLogProb',
  infer([x, index]) {
    if (!sameShape(x.shape.slice(0, -1), index.shape)) throw shapeFault('one id a row of logits is needed');
    // The second output is the whole log-softmax, kept for the derivative.
    return [{ shape: index.shape, dtype: x.dtype }, x];
  },
  decompose([logits, ids]) {
    const all = shiftedLog(logits);
    return [squeezeLast(gatherElements(all, column(ids))), all];
  },
  // dx = (onehot - softmax) dy; a cotangent of the kept output goes the way of LogSoftmax.
  gradient: ({ inputs: [, ids], outputs: [, all], cotangents: [dy, dall] }) => {
    const p = exp(all);
    const parts: Value[] = [];
    if (dy) {
      const g = reshape(dy, [...dy.shape, 1]);
      parts.push(scatterAddElements(mul(p, neg(g)), column(ids), g));
    }
    if (dall) parts.push(sub(dall, mul(p, reduceSum(dall, -1, true))));
    return [parts.reduce((a, b) => add(a, b)), undefined];
  },
  emit: (e, [logits, ids], _, { inputs: [, index] }) => {
    const all = e.node('LogSoftmax', [logits], { axis: -1 });
    const axis = e.constant(int64Vector([index.shape.length]));
    const column = e.node('Unsqueeze', [ids, axis]);
    return [e.node('Squeeze', [e.node('GatherElements', [all, column], { axis: -1 }), axis]), all];
  },
});

function shiftedLog(x: Value): Value {
  const shifted = sub(x, reduceMax(x, -1, true));
  return sub(shifted, log(reduceSum(exp(shifted), -1, true)));
}

function column(ids: Value): Value {
  return reshape(ids, [...ids.shape, 1]);
}

function squeezeLast(x: Value): Value {
  return reshape(x, x.shape.slice(0, -1) as Dim[]);
}

/** Softmax over the last axis. Mask with a large finite number: a row of -Infinity gives NaN. */
export function softmax(x: Value): Value {
  return softmaxFused([x], null)[0];
}

export function logSoftmax(x: Value): Value {
  return logSoftmaxFused([x], null)[0];
}

/** `softmax(scores [.., T, S]) @ values [.., S, d]`, the outer axes alike: attention's second half. */
export function softmaxMatmul(scores: Value, values: Value): Value {
  return softmaxMatmulFused([scores, values], null)[0];
}

/** `log p(ids)` under `logits [.., V]` for integer `ids [..]`. */
export function tokenLogProb(logits: Value, ids: Value): Value {
  return tokenLogProbFused([logits, ids], null)[0];
}
