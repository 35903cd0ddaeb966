import { layerNorm, rmsNorm, type Value } from '../graph/index.ts';
import { onesInit, zerosInit } from './init.ts';
import type { Scope } from './params.ts';

/** Layer normalisation with a weight at `p`, and a bias unless told otherwise. */
export function layerNormAt(
  p: Scope,
  x: Value,
  epsilon: number,
  { bias = true }: { readonly bias?: boolean } = {},
): Value {
  return p.build(() => {
    const width = x.shape.at(-1) as number;
    const weight = p.param('weight', [width], onesInit);
    return layerNorm(x, weight, bias ? p.param('bias', [width], zerosInit) : undefined, epsilon);
  });
}

/** Root-mean-square normalisation with a weight at `p`. */
export function rmsNormAt(p: Scope, x: Value, epsilon: number): Value {
  return p.build(() => rmsNorm(x, p.param('weight', [x.shape.at(-1) as number], onesInit), epsilon));
}
