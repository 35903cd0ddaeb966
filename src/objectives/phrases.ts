import { exp, logSoftmax, mul, reduceSum, scatterAddRows, softplus, sub, type Value } from '../graph/index.ts';

/**
 * How much more likely each wrong phrase is than the right one in its place (Sarkar et al. 2024, HALVA): the sum over the
 * tokens of the wrong one less that over the right one's.
 * @param tokens `[J]`, log-probabilities of the tokens of all phrases
 * @param phrases int32 `[J]`, the pair of phrases that each belongs to
 * @param signs `[J]`, 1 for a token of a wrong phrase and -1 for one of a right one
 * @param none `[P]`, a zero for each pair of phrases; one without tokens keeps it
 * @returns `[P]`
 */
export function phraseRatios(tokens: Value, phrases: Value, signs: Value, none: Value): Value {
  return scatterAddRows(none, phrases, mul(tokens, signs));
}

/** `log(1 + exp(z))` a pair of phrases: `-log` of the share that the right phrase has of the probability of both. */
export function phraseLoss(ratios: Value): Value {
  return softplus(ratios);
}

/**
 * `KL(reference || policy)` at each token, over the whole vocabulary.
 * @param reference `[L, V]`, log-probabilities by the reference
 * @param logits `[L, V]`, of the policy
 * @returns `[L]`
 */
export function forwardDivergence(reference: Value, logits: Value): Value {
  return reduceSum(mul(exp(reference), sub(reference, logSoftmax(logits))), [-1]);
}
