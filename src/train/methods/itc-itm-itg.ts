import { type Dim, float32, Random, type Tensor } from '../../base/index.ts';
import { type Example, supervisedTargets, targetCount } from '../../data/index.ts';
import {
  add,
  concat,
  div,
  fill,
  gather,
  gelu,
  matmul,
  mul,
  reduceSum,
  reshape,
  slice,
  transpose,
  type Value,
} from '../../graph/index.ts';
import { type ComparedText, modelThat } from '../../models/index.ts';
import { layerNormAt, linear, normal, type Scope, zerosInit } from '../../nn/index.ts';
import {
  bestQuery,
  hardNegatives,
  isOther,
  matching,
  pairContrast,
  smoothedCrossEntropy,
} from '../../objectives/index.ts';
import type { Method, Objective, Trace } from '../objective.ts';
import { contrastive } from './contrastive.ts';

const pairs = contrastive.objective({});
const name = 'itc-itm-itg';

/** Of the published code: what is spread over wrong labels, and the divisor of similarities that learning begins with. */
const SMOOTHING = 0.1;
const TEMPERATURE = 0.07;
const NORM_EPSILON = 1e-12;

const objective: Objective = {
  ...pairs,
  name,
  needs: 'matcher',
  own: true,
  units: ['batch', 'token'],
  feeds(rows, width) {
    const { targetRows, targetIds } = supervisedTargets(rows, width);
    return new Map<string, Tensor>([
      ['targetRows', targetRows],
      ['targetIds', targetIds],
      ['draws', float32([rows.length, 2], rows.flatMap(drawsOf))],
    ]);
  },
  sizes: (rows) => ({
    feeds: ['targetRows', 'targetIds', 'draws'],
    sizes: new Map([['K', rows.reduce((n, row) => n + targetCount(row), 0)]]),
  }),
  trace(t) {
    const { matcher } = modelThat('matcher', t.model, `objective ${name}`);
    // A pair is one image and one text.
    const x = t.inputs({ N: 'B' });
    const text = matcher.texts(x);
    const { features, vectors, kept } = matcher.image(t.p, x.pixels as Value);
    const own = t.p.at('objective');
    const temperature = own.param('temp', [], { kind: 'constant', value: TEMPERATURE });
    const similarity = div(bestQuery(vectors, matcher.text(t.p, text)), temperature);
    const { looked, read, labels, counts } = threefold(t, similarity, features, text);
    const asked = matcher.match(t.p, looked, read);
    const states = matcher.written(t.p, kept, text, t.feed('targetRows', 'int32', ['K']));
    const words = wordLogits(own.at('cls.predictions'), states, matcher.words(t.p));
    const targets = t.feed('targetIds', 'int32', ['K']);
    return t.graph.within('loss', () => {
      const itc = mul(pairContrast(similarity, SMOOTHING), t.share('batch'));
      const itm = mul(matching(asked, labels, counts), t.share('batch'));
      const itg = mul(reduceSum(smoothedCrossEntropy(words, targets, SMOOTHING)), t.share('token'));
      return { loss: add(add(itc, itm), itg), metrics: { itc, itm, itg } };
    });
  },
};

/** Where a row's two negatives are drawn: numbers of the row, so that a step needs nothing but its rows to be done again. */
function drawsOf({ id }: Example): number[] {
  const random = new Random(0, 'negatives', id);
  return [0, 1].map(() => (random.bits() >>> 16) / 2 ** 16);
}

/** The pairs, each text with a hard negative image, and each image with a hard negative text: `[3B, ..]`. */
function threefold(t: Trace, similarity: Value, features: Value, { ids, lengths }: ComparedText) {
  return t.graph.within('negatives', () => {
    const b = ids.shape[0] as Dim;
    const draws = t.feed('draws', 'float32', ['B', 2]);
    const column = (i: number) => reshape(slice(draws, 1, i, i + 1), [b]);
    const image = hardNegatives(transpose(similarity), column(0));
    const text = hardNegatives(similarity, column(1));
    const labels = [1, 0, 0].map((label) => fill(t.graph, [b], 'int32', label));
    const counts = [fill(t.graph, [b], 'float32', 1), isOther(image), isOther(text)];
    return {
      looked: concat([features, gather(features, image), features], 0),
      read: {
        ids: concat([ids, ids, gather(ids, text)], 0),
        lengths: concat([lengths, lengths, gather(lengths, text)], 0),
      },
      labels: concat(labels, 0),
      counts: concat(counts, 0),
    };
  });
}

/** BERT's head: a layer, a norm, and the table of words. */
function wordLogits(p: Scope, states: Value, words: Value): Value {
  const [rows, width] = words.shape as [number, number];
  const place = p.at('transform');
  const inner = linear(place.at('dense'), states, width, { init: normal(0.02) });
  const normed = layerNormAt(
    place.at('LayerNorm'),
    place.build(() => gelu(inner)),
    NORM_EPSILON,
  );
  return p.build(() => add(matmul(normed, words, { transB: true }), p.param('bias', [rows], zerosInit)));
}

export const itcItmItg: Method = {
  says: 'image-text contrast, matching and captions of queries that look at an image',
  options: {},
  objective: () => objective,
};
