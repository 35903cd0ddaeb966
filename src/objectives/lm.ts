import { mul, neg, reduceSum, type Value } from '../graph/index.ts';

/**
 * Next-token cross-entropy (architectures: all language-model losses): `-scale * sum of log p`. With `scale` one over
 * the number of targets of the whole optimizer step this is the token mean, however the step is split.
 * @param logProbs `[K]`, log-probability of each supervised token.
 * @param scale `[]`.
 */
export function languageModeling(logProbs: Value, scale: Value): Value {
  return mul(neg(reduceSum(logProbs)), scale);
}
