import type { Dim } from '../base/index.ts';
import { add, exp, fill, mul, neg, scatterAddRows, softplus, sub, type Value } from '../graph/index.ts';

/**
 * Log-probability `[R]` of each answer: the sum over its tokens, each times its weight where there are weights.
 * @param tokens `[K]`, log-probability of each token of all answers, the closing one included.
 * @param answers int32 `[K]`, the answer that each token belongs to.
 * @param count R.
 */
export function answerLogProbs(tokens: Value, answers: Value, count: Dim, weights?: Value): Value {
  const none = fill(tokens.node.graph, [count], 'float32', 0);
  return scatterAddRows(none, answers, weights ? mul(tokens, weights) : tokens);
}

/**
 * Estimate of `KL(reference || policy)` at tokens that the reference wrote, from `log policy - log reference` of each:
 * `exp(r) - 1 - r`, which has the expectation of `-r`, is never negative and spreads less (Schulman 2020, k3).
 */
export function divergenceEstimate(ratios: Value): Value {
  return sub(sub(exp(ratios), 1), ratios);
}

/**
 * DPO (Rafailov et al. 2023, equation 7), a pair at a time: `-log sigmoid(beta (chosen - rejected))`.
 * @param chosen `[M]`, log-ratios of the chosen answers: what the policy gives them less what the reference does;
 * `rejected` likewise.
 * @returns `[M]`; log 2 where the policy is the reference, whatever beta is.
 */
export function preferenceLoss(chosen: Value, rejected: Value, beta: number): Value {
  return softplus(neg(mul(sub(chosen, rejected), beta)));
}

/** Log-ratios `[M]` of mDPO: of the chosen and the rejected answer, and of the chosen one beside a corrupted image. */
export interface ConditionalRatios {
  readonly chosen: Value;
  readonly rejected: Value;
  readonly corrupted: Value;
}

export interface ConditionalTerms {
  readonly beta: number;
  /** What the implicit reward of a chosen answer should reach, equation 8. */
  readonly delta: number;
  /** False leaves out the term over images. */
  readonly conditional: boolean;
  /** False leaves out the term that holds the chosen answer up. */
  readonly anchored: boolean;
}

/**
 * mDPO (Wang et al. 2024, equation 9), a pair at a time: DPO, the same between the image and a corrupted one for the chosen
 * answer, and an anchor that keeps the chosen answer from losing probability.
 * @returns `[M]`; 3 log 2 where the policy is the reference and delta is 0.
 */
export function conditionalPreferenceLoss(
  { chosen, rejected, corrupted }: ConditionalRatios,
  { beta, delta, conditional, anchored }: ConditionalTerms,
): Value {
  const terms = [preferenceLoss(chosen, rejected, beta)];
  if (conditional) terms.push(preferenceLoss(chosen, corrupted, beta));
  if (anchored) terms.push(softplus(sub(delta, mul(chosen, beta))));
  return terms.reduce(add);
}
