import type { Dim } from '../../base/index.ts';
import {
  add,
  conv2d,
  groupNorm,
  matmul,
  reshape,
  silu,
  softmaxMatmul,
  transpose,
  type Value,
} from '../../graph/index.ts';
import { kaimingUniform, onesInit, type Scope, zerosInit } from '../../nn/index.ts';

/*
 * What the encoder and the decoder of VQGAN (Esser et al. 2021) are made of; images and states are `[N, C, H, W]`.
 */

export const GROUPS = 32;
const EPSILON = 1e-6;

/** What stands between the levels of both, with the only attention. */
export function middle(p: Scope, x: Value): Value {
  const width = x.shape[1] as number;
  return residual(p.at('block_2'), attention(p.at('attn_1'), residual(p.at('block_1'), x, width)), width);
}

/** A residual block; its shortcut is a matrix where it changes the width. */
export function residual(p: Scope, x: Value, width: number): Value {
  const first = conv(p.at('conv1'), active(p.at('norm1'), x), width, 3);
  const second = conv(p.at('conv2'), active(p.at('norm2'), first), width, 3);
  const shortcut = x.shape[1] === width ? x : conv(p.at('nin_shortcut'), x, width, 1);
  return p.build(() => add(shortcut, second));
}

/** Every place looks at all others, with one head. */
function attention(p: Scope, x: Value): Value {
  const [n, width, h, w] = x.shape as [Dim, number, number, number];
  const normed = norm(p.at('norm'), x);
  const [q, k, v] = ['q', 'k', 'v'].map((name) => conv(p.at(name), normed, width, 1)) as [Value, Value, Value];
  const seen = p.build(() => {
    const flat = (value: Value) => reshape(value, [n, width, h * w]);
    const scores = matmul(flat(q), flat(k), { transA: true, alpha: 1 / Math.sqrt(width) });
    const mixed = softmaxMatmul(scores, transpose(flat(v), [0, 2, 1]));
    return reshape(transpose(mixed, [0, 2, 1]), x.shape);
  });
  const out = conv(p.at('proj_out'), seen, width, 1);
  return p.build(() => add(x, out));
}

/** A norm and Swish. */
export function active(p: Scope, x: Value): Value {
  const normed = norm(p, x);
  return p.build(() => silu(normed));
}

function norm(p: Scope, x: Value): Value {
  const width = [x.shape[1] as number];
  return p.build(() =>
    groupNorm(x, GROUPS, p.param('weight', width, onesInit), p.param('bias', width, zerosInit), EPSILON),
  );
}

/** A convolution that keeps the size unless told, with a bias. */
export function conv(
  p: Scope,
  x: Value,
  width: number,
  kernel: number,
  options: { readonly stride: number; readonly padding: number } = { stride: 1, padding: (kernel - 1) / 2 },
): Value {
  const channels = x.shape[1] as number;
  const init = kaimingUniform(channels * kernel * kernel);
  return p.build(() => {
    const product = conv2d(x, p.param('weight', [width, channels, kernel, kernel], init), options);
    return add(product, reshape(p.param('bias', [width], init), [width, 1, 1]));
  });
}
