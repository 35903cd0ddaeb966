import type { Value } from '../node.ts';
import { MICROSOFT, type Spec } from '../op.ts';
import { abs, add, erf, exp, log, maximum, mul, neg, sigmoid, sub, tanh } from '../ops/elementwise.ts';
import { defineFused } from './fused.ts';

const unarySpec = ([x]: readonly Spec[]) => x as Spec;

const geluFused = defineFused<null>({
  name: 'Gelu',
  infer: unarySpec,
  // x Phi(x), Phi the normal distribution function
  decompose: ([x]) => [mul(x as Value, normalCdf(x as Value))],
  // d = Phi(x) + x phi(x)
  gradient: ({ inputs: [x], cotangents: [dy] }) => {
    const v = x as Value;
    const density = mul(exp(mul(mul(v, v), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return [mul(dy as Value, add(normalCdf(v), mul(v, density)))];
  },
  emit: (e, x) => e.node('Gelu', x),
});

function normalCdf(x: Value): Value {
  return mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);
}

const quickGeluFused = defineFused<{ alpha: number }>({
  name: 'QuickGelu',
  infer: unarySpec,
  decompose: ([x], { alpha }) => [mul(x as Value, sigmoid(mul(x as Value, alpha)))],
  // s = sigmoid(alpha x); d = s + alpha y (1 - s)
  gradient: ({ inputs: [x], outputs: [y], cotangents: [dy], attrs: { alpha } }) => {
    const scaled = alpha === 1 ? (x as Value) : mul(x as Value, alpha);
    const s = sigmoid(scaled);
    const slope = mul(y as Value, sub(1, s));
    return [mul(dy as Value, add(s, alpha === 1 ? slope : mul(slope, alpha)))];
  },
  emit: (e, x, { alpha }) => e.node('QuickGelu', x, { alpha: { float: alpha } }, MICROSOFT),
});

/** Exact GELU by the error function (Hendrycks & Gimpel 2016). */
export function gelu(x: Value): Value {
  return geluFused([x], null)[0] as Value;
}

/** `x sigmoid(1.702 x)`, the GELU of OpenAI's CLIP. */
export function quickGelu(x: Value): Value {
  return quickGeluFused([x], { alpha: 1.702 })[0] as Value;
}

/** `x sigmoid(x)`, also called Swish. */
export function silu(x: Value): Value {
  return quickGeluFused([x], { alpha: 1 })[0] as Value;
}

/** GELU by its tanh approximation ("gelu_new"). */
export function geluTanh(x: Value): Value {
  const cubic = mul(mul(mul(x, x), x), 0.044715);
  const inner = mul(add(x, cubic), Math.sqrt(2 / Math.PI));
  return mul(mul(x, 0.5), add(tanh(inner), 1));
}

/** `log(1 + e^x)` without overflow: `max(x, 0) + log(1 + e^-|x|)`. */
export function softplus(x: Value): Value {
  return add(maximum(x, 0), log(add(exp(neg(abs(x))), 1)));
}
