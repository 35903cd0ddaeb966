import { type Dim, sameShape } from '../../base/index.ts';
import type { Value } from '../node.ts';
import { type Spec, shapeFault } from '../op.ts';
import { add, div, mul, reciprocal, sqrt, sub } from '../ops/elementwise.ts';
import { reduceMean, reduceSum } from '../ops/reduce.ts';
import { fill, reshape } from '../ops/shape-ops.ts';
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

type Statistics = [y: Value, mean: Value, inverse: Value];

const layerNormFused = defineFused<NormAttrs, [x: Value, weight: Value, bias: Value], Statistics>({
  name: 'LayerNorm',
  infer([x, weight, bias]) {
    const statistic = statisticShape(x, weight, bias);
    return [x, statistic, statistic];
  },
  decompose([x, weight, bias], { epsilon }) {
    const mean = reduceMean(x, -1, true);
    const centred = sub(x, mean);
    const inverse = reciprocal(sqrt(add(reduceMean(mul(centred, centred), -1, true), epsilon)));
    return [add(mul(mul(centred, inverse), weight), bias), mean, inverse];
  },
  // n = (x - mean) r, g = dy w: dx = r (g - mean(g) - n mean(g n))
  gradient({ inputs: [x, weight], outputs: [, mean, inverse], cotangents: [dy], wanted }) {
    const g = dy as Value;
    const normal = mul(sub(x, mean), inverse);
    const scaled = mul(g, weight);
    const pull = add(reduceMean(scaled, -1, true), mul(normal, reduceMean(mul(scaled, normal), -1, true)));
    return [
      wanted[0] ? mul(sub(scaled, pull), inverse) : undefined,
      wanted[1] ? reduceSum(mul(g, normal), leadingAxes(g)) : undefined,
      wanted[2] ? reduceSum(g, leadingAxes(g)) : undefined,
    ];
  },
  emit: (e, x, { epsilon }) => e.nodes('LayerNormalization', 3, x, { axis: -1, epsilon: { float: epsilon } }),
});

const rmsNormFused = defineFused<NormAttrs, [x: Value, weight: Value], [y: Value, inverse: Value]>({
  name: 'RmsNorm',
  infer: ([x, weight]) => [x, statisticShape(x, weight)],
  decompose([x, weight], { epsilon }) {
    const inverse = reciprocal(sqrt(add(reduceMean(mul(x, x), -1, true), epsilon)));
    return [mul(mul(x, inverse), weight), inverse];
  },
  // n = x r, g = dy w: dx = r (g - n mean(g n))
  gradient({ inputs: [x, weight], outputs: [, inverse], cotangents: [dy], wanted }) {
    const g = dy as Value;
    const normal = mul(x, inverse);
    const scaled = mul(g, weight);
    const pull = mul(normal, reduceMean(mul(scaled, normal), -1, true));
    return [
      wanted[0] ? mul(sub(scaled, pull), inverse) : undefined,
      wanted[1] ? reduceSum(mul(g, normal), leadingAxes(g)) : undefined,
    ];
  },
  // ONNX Runtime's own, though in the default domain; the second output is the inverse root mean square.
  emit: (e, x, { epsilon }) =>
    e.nodes('SimplifiedLayerNormalization', 2, x, { axis: -1, epsilon: { float: epsilon }, stash_type: 1 }),
});

/** Layer normalisation over the last axis (Ba et al. 2016), biased variance; without a weight or a bias where there is none. */
export function layerNorm(x: Value, weight: Value | undefined, bias: Value | undefined, epsilon: number): Value {
  const all = (value: number) => fill(x.node.graph, [x.shape.at(-1) as Dim], x.dtype, value);
  return layerNormFused([x, weight ?? all(1), bias ?? all(0)], { epsilon })[0];
}

/**
 * Group normalisation (Wu & He 2018): `x [N, C, ..]`, each group of `C / groups` neighbouring channels by its own mean
 * and variance, then each channel by its entry of `weight, bias [C]`.
 */
export function groupNorm(x: Value, groups: number, weight: Value, bias: Value, epsilon: number): Value {
  const normal = layerNorm(reshape(x, [x.shape[0] as Dim, groups, -1]), undefined, undefined, epsilon);
  const perChannel = (v: Value) => reshape(v, [...v.shape, ...x.shape.slice(2).map(() => 1)]);
  return add(mul(reshape(normal, x.shape), perChannel(weight)), perChannel(bias));
}

/** `x / sqrt(mean(x^2) + epsilon) * weight` over the last axis (Zhang & Sennrich 2019). */
export function rmsNorm(x: Value, weight: Value, epsilon: number): Value {
  return rmsNormFused([x, weight], { epsilon })[0];
}

/** Rows divided by their Euclidean length over the last axis. */
export function l2Normalize(x: Value): Value {
  return div(x, sqrt(reduceSum(mul(x, x), -1, true)));
}
