import { layerNorm, rmsNorm, type Value } from '../graph/index.ts';
import { onesInit, zerosInit } from './init.ts';
import type { Scope } from './params.ts';

/** Layer normalisation with weight and bias at `p`. */
export function layerNormAt(p: Scope, x: Value, epsilon: number): Value {
  return p.build(() => {
    const width = x.shape.at(-1) as number;
    return layerNorm(x, p.param('weight', [width], onesInit), p.param('bias', [width], zerosInit), epsilon);
  });
}

/** Root-mean-square normalisation with a weight at `p`. */
export function rmsNormAt(p: Scope, x: Value, epsilon: number): Value {
  return p.build(() => rmsNorm(x, p.param('weight', [x.shape.at(-1) as number], onesInit), epsilon));
}
