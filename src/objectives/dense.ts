import { float32 } from '../base/index.ts';
import { mul, neg, reduceMean, reshape, tokenLogProb, type Value } from '../graph/index.ts';

/**
 * Cross-entropy of several questions about every patch of an image: `-sum over q of w_q mean of log p(label)`, the mean
 * being over patches and images.
 * @param logits `[B, P, Q C]`: for each of Q questions C classes, one question after another.
 * @param labels `[B, P Q]` integers below C.
 * @param weights of the Q questions.
 */
export function denseLabels(logits: Value, labels: Value, weights: readonly number[]): Value {
  const [b, p, all] = logits.shape as [number | string, number, number];
  const q = weights.length;
  const logProbs = tokenLogProb(reshape(logits, [b, p * q, all / q]), labels);
  const counted = mul(reshape(logProbs, [b, p, q]), logits.node.graph.constant(float32([q], weights)));
  return mul(neg(reduceMean(counted)), q);
}
