import { type Dim, sameShape } from '../../base/index.ts';
import type { Value } from '../node.ts';
import { type Spec, shapeFault } from '../op.ts';
import { add, div, mul, reciprocal, sqrt, sub } from '../ops/elementwise.ts';
import { reduceMean, reduceSum } from '../ops/reduce.ts';
import { defineFused } from './fused.ts';

interface NormAttrs {
  readonly epsilon: number;
}

function statisticShape(x: Spec, ...affine: readonly Spec[]): Spec {
  const width = x.shape.at(-1) as Dim;
  if (affine.some((w) => !sameShape(w.shape, [width])))
    throw shapeFault('the scale does not fit', { expected: `[${width}]` });
  return { shape: x.shape.with(-1, 1), dtype: x.dtype };
}

function leadingAxes(x: Value): number[] {
  return [...x.shape.keys()].slice(0, -1);
}

const layerNormFused = defineFused<NormAttrs>({
  name: 'LayerNorm',
  infer([x, weight, bias]) {
    const statistic = statisticShape(x as Spec, weight as Spec, bias as Spec);
    return [x as Spec, statistic, statistic];
  },
  decompose([x, weight, bias], { epsilon }) {
    const mean = reduceMean(x as Value, -1, true);
    const centred = sub(x as Value, mean);
    const inverse = reciprocal(sqrt(add(reduceMean(mul(centred, centred), -1, true), epsilon)));
    return [add(mul(mul(centred, inverse), weight as Value), bias as Value), mean, inverse];
  },
  // n = (x - mean) r, g = dy w: dx = r (g - mean(g) - n mean(g n))
  gradient({ inputs: [x, weight], outputs: [, mean, inverse], cotangents: [dy], wanted }) {
    const g = dy as Value;
    const normal = mul(sub(x as Value, mean as Value), inverse as Value);
    const scaled = mul(g, weight as Value);
    const pull = add(reduceMean(scaled, -1, true), mul(normal, reduceMean(mul(scaled, normal), -1, true)));
    return [
      wanted[0] ? mul(sub(scaled, pull), inverse as Value) : undefined,
      wanted[1] ? reduceSum(mul(g, normal), leadingAxes(g)) : undefined,
      wanted[2] ? reduceSum(g, leadingAxes(g)) : undefined,
    ];
  },
  emit: (e, x, { epsilon }) => e.nodes('LayerNormalization', 3, x, { axis: -1, epsilon: { float: epsilon } }),
});

const rmsNormFused = defineFused<NormAttrs>({
  name: 'RmsNorm',
  infer: ([x, weight]) => [x as Spec, statisticShape(x as Spec, weight as Spec)],
  decompose([x, weight], { epsilon }) {
    const inverse = reciprocal(sqrt(add(reduceMean(mul(x as Value, x as Value), -1, true), epsilon)));
    return [mul(mul(x as Value, inverse), weight as Value), inverse];
  },
  // n = x r, g = dy w: dx = r (g - n mean(g n))
  gradient({ inputs: [x, weight], outputs: [, inverse], cotangents: [dy], wanted }) {
    const g = dy as Value;
    const normal = mul(x as Value, inverse as Value);
    const scaled = mul(g, weight as Value);
    const pull = mul(normal, reduceMean(mul(scaled, normal), -1, true));
    return [
      wanted[0] ? mul(sub(scaled, pull), inverse as Value) : undefined,
      wanted[1] ? reduceSum(mul(g, normal), leadingAxes(g)) : undefined,
    ];
  },
  // ONNX Runtime's own, though in the default domain; the second output is the inverse root mean square.
  emit: (e, x, { epsilon }) =>
    e.nodes('SimplifiedLayerNormalization', 2, x, { axis: -1, epsilon: { float: epsilon }, stash_type: 1 }),
});

/** Layer normalisation over the last axis (Ba et al. 2016), biased variance. */
export function layerNorm(x: Value, weight: Value, bias: Value, epsilon: number): Value {
  return layerNormFused([x, weight, bias], { epsilon })[0] as Value;
}

/** `x / sqrt(mean(x^2) + epsilon) * weight` over the last axis (Zhang & Sennrich 2019). */
export function rmsNorm(x: Value, weight: Value, epsilon: number): Value {
  return rmsNormFused([x, weight], { epsilon })[0] as Value;
}

/** Rows divided by their Euclidean length over the last axis. */
export function l2Normalize(x: Value): Value {
  return div(x, sqrt(reduceSum(mul(x, x), -1, true)));
}
