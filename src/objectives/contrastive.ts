import type { Dim } from '../base/index.ts';
import { add, exp, iota, matmul, mul, neg, reduceMean, tokenLogProb, type Value } from '../graph/index.ts';

/**
 * Symmetric contrastive loss over matching pairs (Radford et al. 2021, figure 3):
 * `1/2 (CE(image -> text) + CE(text -> image))`, the logits being `exp(logitScale) image text^T`.
 * @param image `[B, P]` unit vectors; `text` likewise, row i belonging to row i.
 * @param logitScale `[]`, the temperature's logarithm.
 */
export function contrastive(image: Value, text: Value, logitScale: Value): Value {
  const pairs = iota(image.node.graph, image.shape[0] as Dim);
  const temperature = exp(logitScale);
  const towards = (a: Value, b: Value) =>
    reduceMean(tokenLogProb(mul(matmul(a, b, { transB: true }), temperature), pairs));
  return mul(neg(add(towards(image, text), towards(text, image))), 0.5);
}
