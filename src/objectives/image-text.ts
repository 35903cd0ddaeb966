import { type Dim, mulDims } from '../base/index.ts';
import {
  add,
  argMax,
  cast,
  cumSum,
  div,
  fill,
  iota,
  less,
  logSoftmax,
  matmul,
  mul,
  neg,
  reduceMax,
  reduceMean,
  reduceSum,
  reshape,
  softmax,
  stopGradient,
  tokenLogProb,
  transpose,
  type Value,
  where,
} from '../graph/index.ts';

/** The losses of BLIP-2's first stage (Li et al. 2023, section 3.2), with the numbers of its published code (LAVIS). */

/** Cosines `[N, B]` of images with texts, each of the image's best query: `image [N, Q, E]` and `text [B, E]` are unit vectors. */
export function bestQuery(image: Value, text: Value): Value {
  const [n, q, e] = image.shape as [Dim, number, number];
  const each = matmul(reshape(image, [mulDims(n, q), e]), text, { transB: true });
  return reduceMax(reshape(each, [n, q, text.shape[0] as Dim]), [1]);
}

/**
 * Cross-entropy `[R]` with a share of every label spread over all classes:
 * `-(1 - s) log p(target) - s mean over classes of log p`.
 */
export function smoothedCrossEntropy(logits: Value, targets: Value, smoothing: number): Value {
  const right = mul(tokenLogProb(logits, targets), 1 - smoothing);
  return neg(add(right, mul(reduceMean(logSoftmax(logits), [-1]), smoothing)));
}

/** Contrast both ways of pairs whose similarities `[B, B]` stand on the diagonal. */
export function pairContrast(similarity: Value, smoothing: number): Value {
  const pairs = iota(similarity.node.graph, similarity.shape[0] as Dim);
  const towards = (logits: Value) => reduceMean(smoothedCrossEntropy(logits, pairs, smoothing));
  return mul(add(towards(similarity), towards(transpose(similarity))), 0.5);
}

/** Keeps a pair that is never confused in the draw. */
const LEAST_WEIGHT = 1e-4;

/**
 * For each row of similarities `[B, B]` the column `[B]` of another pair, drawn with weights `softmax + 1e-4`.
 * @param draws `[B]` from 0 up to 1: the place in the sum of the weights
 */
export function hardNegatives(similarity: Value, draws: Value): Value {
  const [b] = similarity.shape as [Dim];
  const { graph } = similarity.node;
  const others = unlike(reshape(iota(graph, b), [b, 1]), reshape(iota(graph, b), [1, b]));
  const weights = mul(add(softmax(stopGradient(similarity)), LEAST_WEIGHT), others);
  const place = mul(reshape(draws, [b, 1]), reduceSum(weights, [1], true));
  return argMax(cast(less(place, cumSum(weights, 1)), 'float32'));
}

/** `[B]`: 1 where a drawn place is not the row's own, which it only is in a batch of one. */
export function isOther(drawn: Value): Value {
  return unlike(drawn, iota(drawn.node.graph, drawn.shape[0] as Dim));
}

/** 1 where integers differ, else 0. */
function unlike(a: Value, b: Value): Value {
  const one = fill(a.node.graph, [], 'float32', 1);
  return where(less(a, b), one, where(less(b, a), one, 0));
}

/**
 * Mean cross-entropy of texts and images that belong together or do not.
 * @param logits `[R, 2]` of no and yes; `labels [R]`; `counts [R]`, 0 where a pair says nothing
 */
export function matching(logits: Value, labels: Value, counts: Value): Value {
  return neg(div(reduceSum(mul(tokenLogProb(logits, labels), counts)), reduceSum(counts)));
}
