import { mul, neg, reduceSum, sub, type Value } from '../graph/index.ts';

/**
 * Next-token cross-entropy (architectures: all language-model losses): `-scale * sum of log p`. With `scale` one over
 * the number of targets of the whole optimizer step this is the token mean, however the step is split.
 * @param logProbs `[K]`, log-probability of each supervised token.
 * @param scale `[]`.
 */
export function languageModeling(logProbs: Value, scale: Value): Value {
  return mul(neg(reduceSum(logProbs)), scale);
}

/**
 * z-loss (Chowdhery et al. 2022; Chameleon takes 1e-5 of it): `scale * sum of (log Z)^2`, with Z the denominator of the softmax
 * that gives a token, so that logits stay near 0.
 * @param logits `[K]`, the logit of each supervised token.
 * @param logProbs `[K]`, its log-probability.
 * @param scale `[]`.
 */
export function zLoss(logits: Value, logProbs: Value, scale: Value): Value {
  const logZ = sub(logits, logProbs);
  return mul(reduceSum(mul(logZ, logZ)), scale);
}
