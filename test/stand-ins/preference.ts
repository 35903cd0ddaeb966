import { float32, int32, type Tensor } from '../../src/base/index.ts';
import { supervisedTargets, targetCount } from '../../src/data/index.ts';
import {
  fill,
  mul,
  neg,
  reduceSum,
  scatterAddRows,
  softplus,
  sub,
  tokenLogProb,
  type Value,
} from '../../src/graph/index.ts';
import { modelThat } from '../../src/models/index.ts';
import type { Method, Objective, Trace } from '../../src/train/index.ts';

/** An objective over pairs with a reference: `softplus(-beta ((c - c') - (r - r')))`, summed log-probabilities in it. */
export const preference: Method = {
  says: 'a chosen answer over a rejected one',
  options: { beta: { says: 'how sharp', value: 0.5 } },
  objective: ({ beta }): Objective => ({
    name: 'preference',
    needs: 'writer',
    views: ['chosen', 'rejected'],
    adds: true,
    units: ['sample'],
    feeds(rows, width) {
      const { targetRows, targetIds, targetSamples } = supervisedTargets(rows, width);
      return new Map<string, Tensor>([
        ['targetRows', targetRows],
        ['targetIds', targetIds],
        ['targetSamples', targetSamples],
        [
          'pairs',
          int32(
            [rows.length],
            rows.map((_, i) => Math.floor(i / 2)),
          ),
        ],
        [
          'signs',
          float32(
            [rows.length],
            rows.map((_, i) => (i % 2 === 0 ? 1 : -1)),
          ),
        ],
        ['zeros', float32([rows.length / 2], new Float32Array(rows.length / 2))],
      ]);
    },
    sizes: (rows) => ({
      feeds: ['targetRows', 'targetIds', 'targetSamples', 'pairs', 'signs', 'zeros'],
      sizes: new Map([
        ['K', rows.reduce((n, row) => n + targetCount(row), 0)],
        ['M', rows.length / 2],
        ['R', rows.length],
      ]),
    }),
    before: [{ weights: 'reference', trace: (t) => ({ reference: sums(t) }) }],
    trace(t) {
      const ratios = sub(sums(t), t.feed('reference', 'float32', ['R']));
      const signed = mul(ratios, t.feed('signs', 'float32', ['R']));
      const margins = scatterAddRows(t.feed('zeros', 'float32', ['M']), t.feed('pairs', 'int32', ['R']), signed);
      const share = t.share('sample');
      return {
        loss: mul(reduceSum(softplus(neg(mul(margins, beta as number)))), share),
        metrics: { margin: mul(reduceSum(margins), share) },
      };
    },
  }),
};

/** Log-probabilities `[R]` of the answers of all rows. */
function sums(t: Trace): Value {
  const { writer } = modelThat('writer', t.model, 'preference');
  const x = t.inputs({ B: 'R' });
  const { hidden } = writer.hidden(t.p, x, { rows: t.feed('targetRows', 'int32', ['K']) });
  const logProbs = tokenLogProb(writer.head(t.p, hidden), t.feed('targetIds', 'int32', ['K']));
  return scatterAddRows(fill(t.graph, ['R'], 'float32', 0), t.feed('targetSamples', 'int32', ['K']), logProbs);
}
