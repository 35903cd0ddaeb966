import { float32, int32, type Tensor } from '../../base/index.ts';
import { type Example, supervisedTargets, targetCount } from '../../data/index.ts';
import { cast, fill, less, mul, reduceSum, sub, takeRows, tokenLogProb, type Value } from '../../graph/index.ts';
import { modelThat } from '../../models/index.ts';
import { answerLogProbs } from '../../objectives/index.ts';
import type { Objective, Trace } from '../objective.ts';

/** What tells a method over pairs of answers from the others. */
export interface PairMethod extends Pick<Objective, 'name' | 'makes' | 'fault'> {
  /** The chosen answer, the rejected one, and what the method makes of them. */
  readonly views: readonly ['chosen', 'rejected', ...string[]];
  readonly beta: number;
  /** Weights of the supervised tokens of a sample's rows; 1 when absent. */
  readonly weights?: (sample: readonly Example[]) => readonly Float32Array[];
  /** `[M]`, the loss of each sample from its log-ratios `[M]`, one a view. */
  loss(chosen: Value, rejected: Value, ...others: readonly Value[]): Value;
}

/**
 * An objective on how much more likely the policy makes answers than the reference does. All answers of a batch are in one
 * forward pass; the reference's are in one before it.
 */
export function overPairs({ views, beta, weights, loss, ...record }: PairMethod): Objective {
  const viewRows = views.map((view) => `${view}Rows`);
  const own = ['targetRows', 'targetIds', 'targetSamples', ...(weights ? ['targetWeights'] : []), ...viewRows];
  const logProbs = (t: Trace) => answersOf(t, record.name, weights !== undefined);
  return {
    ...record,
    needs: 'writer',
    views,
    adds: true,
    units: ['sample'],
    feeds(rows, width) {
      const feeds = new Map<string, Tensor>(Object.entries(supervisedTargets(rows, width)));
      if (weights) feeds.set('targetWeights', weightsOf(rows, views.length, weights));
      const samples = rows.length / views.length;
      for (const [i, name] of viewRows.entries()) {
        const places = Array.from({ length: samples }, (_, sample) => sample * views.length + i);
        feeds.set(name, int32([samples], places));
      }
      return feeds;
    },
    sizes: (rows) => ({
      feeds: own,
      sizes: new Map([
        ['K', rows.reduce((n, row) => n + targetCount(row), 0)],
        ['pairs', rows.length / views.length],
        ['answers', rows.length],
      ]),
    }),
    before: [{ weights: 'reference', trace: (t) => ({ reference: logProbs(t).weighted }) }],
    trace(t) {
      const { weighted, lengths } = logProbs(t);
      const ratios = sub(weighted, t.feed('reference', 'float32', ['answers']));
      const rows = viewRows.map((name) => t.feed(name, 'int32', ['pairs']));
      const [chosen, rejected, ...others] = rows.map((index) => takeRows(ratios, index)) as [Value, Value, ...Value[]];
      const share = t.share('sample');
      const mean = (values: Value) => mul(reduceSum(values), share);
      return {
        loss: t.graph.within('loss', () => mean(loss(chosen, rejected, ...others))),
        metrics: t.graph.within('metrics', () => {
          const [longChosen, longRejected] = rows.map((index) => mean(takeRows(lengths, index))) as [Value, Value];
          return {
            reward_chosen: mul(mean(chosen), beta),
            reward_rejected: mul(mean(rejected), beta),
            reward_margin: mul(mean(sub(chosen, rejected)), beta),
            reward_accuracy: mean(cast(less(rejected, chosen), 'float32')),
            tokens_chosen: longChosen,
            tokens_rejected: longRejected,
          };
        }),
      };
    },
  };
}

/** Log-probabilities and lengths `[R]` of the answers of all rows. */
function answersOf(t: Trace, name: string, hasWeights: boolean): { readonly weighted: Value; readonly lengths: Value } {
  const { writer } = modelThat('writer', t.model, `objective ${name}`);
  const x = t.inputs({ B: 'answers' });
  const { hidden } = writer.hidden(t.p, x, { rows: t.feed('targetRows', 'int32', ['K']) });
  const tokens = tokenLogProb(writer.head(t.p, hidden), t.feed('targetIds', 'int32', ['K']));
  const answers = t.feed('targetSamples', 'int32', ['K']);
  const weights = hasWeights ? t.feed('targetWeights', 'float32', ['K']) : undefined;
  return {
    weighted: answerLogProbs(tokens, answers, 'answers', weights),
    lengths: answerLogProbs(fill(t.graph, ['K'], 'float32', 1), answers, 'answers'),
  };
}

/** float32 `[K]`: the weights of all targets of a batch, sample by sample. */
function weightsOf(
  rows: readonly Example[],
  views: number,
  weights: (sample: readonly Example[]) => readonly Float32Array[],
): Tensor<'float32'> {
  const samples = Array.from({ length: rows.length / views }, (_, i) => rows.slice(i * views, (i + 1) * views));
  const values = samples.flatMap((sample) => weights(sample).flatMap((row) => [...row]));
  return float32([values.length], values);
}

/** The option that every method over pairs has. */
export const saysOfBeta = 'how sharply log-ratios count; the policy stays nearer to the reference where it is large';
