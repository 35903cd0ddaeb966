import { broadcastShapes, type Dim, formatShape } from '../../base/index.ts';
import type { Value } from '../node.ts';
import { MICROSOFT, type Op, type Spec, sameDtype, shapeFault } from '../op.ts';
import { reshape, transpose } from './shape-ops.ts';

export interface MatMulAttrs {
  readonly transA: boolean;
  readonly transB: boolean;
  readonly alpha: number;
}

const matMulOp: Op<MatMulAttrs, [Value, Value]> = {
  name: 'MatMul',
  infer([a, b], { transA, transB }) {
    const dtype = sameDtype([a, b]);
    if (a.shape.length < 2 || b.shape.length < 2) throw shapeFault('both operands need two axes or more');
    const [m, ka] = lastTwo(a, transA);
    const [kb, n] = lastTwo(b, transB);
    if (ka !== kb) throw shapeFault('inner dimensions differ', { expected: `${ka}`, got: `${kb}` });
    const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
    if (!batch) {
      throw shapeFault('outer dimensions do not broadcast', {
        expected: formatShape(a.shape),
        got: formatShape(b.shape),
      });
    }
    return { shape: [...batch, m, n], dtype };
  },
  gradient({ inputs: [x, w], cotangents: [g], attrs: { transA, transB, alpha }, wanted }) {
    const da = () =>
      transA ? matmul(w, g, { transA: transB, transB: true, alpha }) : matmul(g, w, { transB: !transB, alpha });
    // A shared matrix under a batch: one product over all rows instead of one a batch entry and a sum.
    const flat = w.shape.length === 2 && x.shape.length > 2 && !transA;
    const rows = flat ? reshape(x, [-1, x.shape.at(-1) as Dim]) : x;
    const outs = flat ? reshape(g, [-1, g.shape.at(-1) as Dim]) : g;
    const db = () => {
      if (transA) return transB ? matmul(g, x, { transA, transB, alpha }) : matmul(x, g, { alpha });
      return transB ? sumOfOuter(outs, rows, alpha) : sumOfOuter(rows, outs, alpha);
    };
    return [wanted[0] ? da() : undefined, wanted[1] ? db() : undefined];
  },
  emit: (e, x, { transA, transB, alpha }) => {
    if (!transA && !transB && alpha === 1) return e.node('MatMul', x);
    return e.node('FusedMatMul', x, { transA: +transA, transB: +transB, alpha: { float: alpha } }, MICROSOFT);
  },
};

/**
 * `alpha * a^T @ b`. ONNX Runtime transposes its left operand anew for every panel of the right one, so a much wider `a`, as a
 * head of many words has, stands on the right. (Transposed beforehand, it would be summed in other blocks on more threads.)
 */
function sumOfOuter(a: Value, b: Value, alpha: number): Value {
  const [m, n] = [a.shape.at(-1), b.shape.at(-1)];
  const wide = typeof m === 'number' && typeof n === 'number' && m > 4 * n;
  return wide ? transpose(matmul(b, a, { transA: true, alpha })) : matmul(a, b, { transA: true, alpha });
}

function lastTwo(x: Spec, transposed: boolean): readonly [Dim, Dim] {
  const [rows, columns] = x.shape.slice(-2) as [Dim, Dim];
  return transposed ? [columns, rows] : [rows, columns];
}

/**
 * `alpha * op(a) @ op(b)` over the last two axes, with numpy broadcasting of the others.
 * @example matmul(x, weight, { transB: true }) // x [.., in], weight [out, in]
 */
export function matmul(a: Value, b: Value, options: Partial<MatMulAttrs> = {}): Value {
  const attrs = { transA: options.transA ?? false, transB: options.transB ?? false, alpha: options.alpha ?? 1 };
  return a.node.graph.apply(matMulOp, [a, b], attrs);
}
