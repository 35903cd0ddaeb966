import type { Value } from '../node.ts';
import { MICROSOFT } from '../op.ts';
import { abs, add, erf, exp, log, maximum, mul, neg, relu, sigmoid, sub, tanh } from '../ops/elementwise.ts';
import { defineFused } from './fused.ts';

const geluFused = defineFused<null, [Value]>({
  name: 'Gelu',
  infer: ([x]) => x,
  // x Phi(x), Phi the normal distribution function
  decompose: ([x]) => [mul(x, normalCdf(x))],
  // d = Phi(x) + x phi(x)
  gradient: ({ inputs: [x], cotangents: [dy] }) => {
    const density = mul(exp(mul(mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return [mul(dy, add(normalCdf(x), mul(x, density)))];
  },
  emit: (e, x) => e.node('Gelu', x),
});

function normalCdf(x: Value): Value {
  return mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);
}

const quickGeluFused = defineFused<{ alpha: number }, [Value]>({
  name: 'QuickGelu',
  infer: ([x]) => x,
  decompose: ([x], { alpha }) => [mul(x, sigmoid(mul(x, alpha)))],
  // s = sigmoid(alpha x); d = s + alpha y (1 - s)
  gradient: ({ inputs: [x], outputs: [y], cotangents: [dy], attrs: { alpha } }) => {
    const scaled = alpha === 1 ? x : mul(x, alpha);
    const s = sigmoid(scaled);
    const slope = mul(y, sub(1, s));
    return [mul(dy, add(s, alpha === 1 ? slope : mul(slope, alpha)))];
  },
  emit: (e, x, { alpha }) => e.node('QuickGelu', x, { alpha: { float: alpha } }, MICROSOFT),
});

/** Exact GELU by the error function (Hendrycks & Gimpel 2016). */
export function gelu(x: Value): Value {
  return geluFused([x], null)[0];
}

/** `x sigmoid(1.702 x)`, the GELU of OpenAI's CLIP. */
export function quickGelu(x: Value): Value {
  return quickGeluFused([x], { alpha: 1.702 })[0];
}

/** `x sigmoid(x)`, also called Swish. */
export function silu(x: Value): Value {
  return quickGeluFused([x], { alpha: 1 })[0];
}

/** GELU by its tanh approximation ("gelu_new"). */
export function geluTanh(x: Value): Value {
  const cubic = mul(mul(mul(x, x), x), 0.044715);
  const inner = mul(add(x, cubic), Math.sqrt(2 / Math.PI));
  return mul(mul(x, 0.5), add(tanh(inner), 1));
}

/** `max(x, 0)^2` (So et al. 2021). */
export function reluSquared(x: Value): Value {
  const positive = relu(x);
  return mul(positive, positive);
}

/** `cap tanh(x / cap)`: near x where it is small, and never beyond the cap (Gemma Team 2024). */
export function softCap(x: Value, cap: number): Value {
  return mul(tanh(mul(x, 1 / cap)), cap);
}

/** `log(1 + e^x)` without overflow: `max(x, 0) + log(1 + e^-|x|)`. */
export function softplus(x: Value): Value {
  return add(maximum(x, 0), log(add(exp(neg(abs(x))), 1)));
}
