import { full, int64 } from '../../base/index.ts';
import type { CachedAttentionAttrs, Emitter, MatMulAttrs, Spec } from '../../graph/index.ts';
import { emitCachedAttention } from './cached-attention.ts';
import type { Rules } from './table.ts';

const HOST = 'the provider has no kernel for it and would copy to the host and back';

/** What the WebGPU provider of ONNX Runtime lacks or gets wrong. */
export const webgpu: Rules = {
  MatMul: {
    reason: `FusedMatMul: ${HOST}`,
    emit: (e, [a, b], attrs, { inputs }) => {
      const { transA, transB, alpha } = attrs as MatMulAttrs;
      const rank = (i: number) => (inputs[i] as Spec).shape.length;
      const left = transA ? swapLastTwo(e, a as string, rank(0)) : (a as string);
      const right = transB ? swapLastTwo(e, b as string, rank(1)) : (b as string);
      const product = e.node('MatMul', [left, right]);
      return alpha === 1 ? product : e.node('Mul', [product, scalar(e, inputs[0] as Spec, alpha)]);
    },
  },
  Sign: {
    reason: HOST,
    emit: (e, [x], _, { inputs: [spec] }) => {
      const zero = scalar(e, spec as Spec, 0);
      const one = scalar(e, spec as Spec, 1);
      const positive = e.node('Where', [e.node('Greater', [x as string, zero]), one, zero]);
      return e.node('Where', [e.node('Less', [x as string, zero]), scalar(e, spec as Spec, -1), positive]);
    },
  },
  LogSoftmax: { reason: HOST, emit: (e, [x]) => logSoftmax(e, x as string) },
  TokenLogProb: {
    reason: `LogSoftmax: ${HOST}`,
    emit: (e, [logits, ids], _, { inputs: [, index] }) => {
      const all = logSoftmax(e, logits as string);
      const axis = axes(e, (index as Spec).shape.length);
      const column = e.node('Unsqueeze', [ids as string, axis]);
      return [e.node('Squeeze', [e.node('GatherElements', [all, column], { axis: -1 }), axis]), all];
    },
  },
  CachedAttention: {
    reason: 'GroupQueryAttention gives wrong numbers for rows that are shorter than others of the batch',
    emit: (e, x, attrs, { inputs }) => emitCachedAttention(e, x, attrs as CachedAttentionAttrs, inputs),
  },
  RmsNorm: {
    reason: 'SimplifiedLayerNormalization leaves its second output, which the derivative reads, unwritten',
    emit: (e, x, attrs, { inputs: [spec] }) => {
      const { epsilon } = attrs as { readonly epsilon: number };
      const [out] = e.nodes('SimplifiedLayerNormalization', 1, x, {
        axis: -1,
        epsilon: { float: epsilon },
        stash_type: 1,
      });
      const square = e.node('Mul', [x[0] as string, x[0] as string]);
      const mean = e.node('ReduceMean', [square, axes(e, -1)], { keepdims: 1 });
      const root = e.node('Sqrt', [e.node('Add', [mean, scalar(e, spec as Spec, epsilon)])]);
      return [out as string, e.node('Reciprocal', [root])];
    },
  },
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
