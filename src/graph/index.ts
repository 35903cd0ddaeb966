export * from './functions/activation.ts';
export * from './functions/dropout.ts';
export * from './functions/norm.ts';
export * from './functions/rotary.ts';
export * from './functions/softmax.ts';
export { gradients } from './gradient.ts';
export { Graph, type Node, type Value } from './node.ts';
export { type Each, type Emit, type EmitAttribute, type Emitter, MICROSOFT, type Spec, type Values } from './op.ts';
export { type CachedAttentionAttrs, type CachedAttentionOperands, cachedAttention } from './ops/cached-attention.ts';
export { conv2d, convTranspose2d } from './ops/conv.ts';
export * from './ops/elementwise.ts';
export * from './ops/index-ops.ts';
export * from './ops/matmul.ts';
export * from './ops/pool.ts';
export { type QuantizedMatrix, quantizedMatmul } from './ops/quantized-matmul.ts';
export * from './ops/reduce.ts';
export {
  concat,
  expand,
  fill,
  iota,
  pad,
  reshape,
  sizeScalar,
  slice,
  split,
  transpose,
} from './ops/shape-ops.ts';
