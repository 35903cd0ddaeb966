import { gelu, geluTanh, quickGelu, relu, reluSquared, silu, type Value } from '../graph/index.ts';

/** Activation functions by the names that configurations use. */
export const activations: Readonly<Record<string, (x: Value) => Value>> = {
  gelu,
  gelu_fast: geluTanh,
  gelu_new: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  linear: (x) => x,
  quick_gelu: quickGelu,
  relu,
  relu2: reluSquared,
  silu,
  swish: silu,
};
