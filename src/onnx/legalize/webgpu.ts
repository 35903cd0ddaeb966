import { full, int64 } from '../../base/index.ts';
import type {
  CachedAttentionAttrs,
  CachedAttentionOperands,
  Emitter,
  MatMulAttrs,
  Spec,
  Value,
} from '../../graph/index.ts';
import { emitCachedAttention } from './cached-attention.ts';
import { otherwise, type Rules } from './rules.ts';

const HOST = 'the provider has no kernel for it and would copy to the host and back';

type Outputs = [y: Value, kept: Value];

/** What the WebGPU provider of ONNX Runtime lacks or gets wrong. */
export const webgpu: Rules = {
  MatMul: otherwise<MatMulAttrs, [Value, Value]>(`FusedMatMul: ${HOST}`, (e, [a, b], attrs, { inputs: [x, w] }) => {
    const { transA, transB, alpha } = attrs;
    const left = transA ? swapLastTwo(e, a, x.shape.length) : a;
    const right = transB ? swapLastTwo(e, b, w.shape.length) : b;
    const product = e.node('MatMul', [left, right]);
    return alpha === 1 ? product : e.node('Mul', [product, scalar(e, x, alpha)]);
  }),
  Sign: otherwise<null, [Value]>(HOST, (e, [x], _, { inputs: [spec] }) => {
    const zero = scalar(e, spec, 0);
    const one = scalar(e, spec, 1);
    const positive = e.node('Where', [e.node('Greater', [x, zero]), one, zero]);
    return e.node('Where', [e.node('Less', [x, zero]), scalar(e, spec, -1), positive]);
  }),
  LogSoftmax: otherwise<null, [Value]>(HOST, (e, [x]) => logSoftmax(e, x)),
  TokenLogProb: otherwise<null, [logits: Value, ids: Value], Outputs>(
    `LogSoftmax: ${HOST}`,
    (e, [logits, ids], _, { inputs: [, index] }) => {
      const all = logSoftmax(e, logits);
      const axis = axes(e, index.shape.length);
      const column = e.node('Unsqueeze', [ids, axis]);
      return [e.node('Squeeze', [e.node('GatherElements', [all, column], { axis: -1 }), axis]), all];
    },
  ),
  CachedAttention: otherwise<CachedAttentionAttrs, CachedAttentionOperands, [Value, Value, Value]>(
    'GroupQueryAttention gives wrong numbers for rows that are shorter than others of the batch',
    emitCachedAttention,
  ),
  RmsNorm: otherwise<{ readonly epsilon: number }, [x: Value, weight: Value], Outputs>(
    'SimplifiedLayerNormalization leaves its second output, which the derivative reads, unwritten',
    (e, [x, weight], { epsilon }, { inputs: [spec] }) => {
      const attributes = { axis: -1, epsilon: { float: epsilon }, stash_type: 1 };
      const out = e.node('SimplifiedLayerNormalization', [x, weight], attributes);
      const mean = e.node('ReduceMean', [e.node('Mul', [x, x]), axes(e, -1)], { keepdims: 1 });
      const root = e.node('Sqrt', [e.node('Add', [mean, scalar(e, spec, epsilon)])]);
      return [out, e.node('Reciprocal', [root])];
    },
  ),
};

/** Log-softmax over the last axis; the maximum is taken off first, so that nothing overflows. */
function logSoftmax(e: Emitter, x: string): string {
  const last = axes(e, -1);
  const shifted = e.node('Sub', [x, e.node('ReduceMax', [x, last], { keepdims: 1 })]);
  const sum = e.node('ReduceSum', [e.node('Exp', [shifted]), last], { keepdims: 1 });
  return e.node('Sub', [shifted, e.node('Log', [sum])]);
}

function swapLastTwo(e: Emitter, x: string, rank: number): string {
  const order = [...Array(rank).keys()];
  [order[rank - 2], order[rank - 1]] = [rank - 1, rank - 2];
  return e.node('Transpose', [x], { perm: order });
}

function scalar(e: Emitter, { dtype }: Spec, value: number): string {
  return e.constant(full(dtype, [], value));
}

function axes(e: Emitter, axis: number): string {
  return e.constant(int64([1], [axis]));
}
