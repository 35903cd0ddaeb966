import { float32, int32, type Tensor } from '../../base/index.ts';
import { type Example, supervisedTargets, targetCount } from '../../data/index.ts';
import { cast, fill, less, mul, reduceSum, sub, takeRows, tokenLogProb, type Value } from '../../graph/index.ts';
import { modelThat } from '../../models/index.ts';
import { answerLogProbs, divergenceEstimate } from '../../objectives/index.ts';
import type { Before, Objective, Trace } from '../objective.ts';

/** What tells a method over pairs of answers from the others. */
export interface PairMethod extends Pick<Objective, 'name' | 'makes' | 'fault'> {
  /** The chosen answer, the rejected one, and what the method makes of them. */
  readonly views: readonly ['chosen', 'rejected', ...string[]];
  readonly beta: number;
  /** Weights of the supervised tokens of a sample's rows; 1 when absent. */
  readonly weights?: (sample: readonly Example[]) => readonly Float32Array[];
  /** `[pairs]`, the loss of each sample from its log-ratios `[pairs]`, one a view. */
  loss(chosen: Value, rejected: Value, ...others: readonly Value[]): Value;
}

/**
 * An objective on how much more likely the policy makes answers than the reference does. All answers of a batch are in one
 * forward pass; the reference's are in one before it.
 */
export function overPairs({ views, beta, weights, loss, ...record }: PairMethod): Objective {
  const viewRows = views.map((view) => `${view}Rows`);
  const own = ['targetRows', 'targetIds', 'targetSamples', ...(weights ? ['targetWeights'] : []), ...viewRows];
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
        ['targets', rows.reduce((n, row) => n + targetCount(row), 0)],
        ['pairs', rows.length / views.length],
        ['answers', rows.length],
      ]),
    }),
    before: [byReference(record.name)],
    trace(t) {
      const tokens = sub(tokensOf(t, record.name), t.feed('reference', 'float32', ['targets']));
      const answers = t.feed('targetSamples', 'int32', ['targets']);
      const each = weights && t.feed('targetWeights', 'float32', ['targets']);
      const ratios = answerLogProbs(tokens, answers, 'answers', each);
      const lengths = answerLogProbs(fill(t.graph, ['targets'], 'float32', 1), answers, 'answers');
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
            log_ratio_chosen: mean(chosen),
            log_ratio_rejected: mean(rejected),
            kl: mul(reduceSum(divergenceEstimate(tokens)), t.share('token')),
            tokens_chosen: longChosen,
            tokens_rejected: longRejected,
          };
        }),
      };
    },
  };
}

/** Log-probabilities of all tokens by the reference, one a target of each row. */
function byReference(name: string): Before {
  const trace = (t: Trace) => ({ reference: tokensOf(t, name) });
  return { weights: 'reference', trace, kept: { feed: 'reference', entries: targetCount } };
}

/** Log-probabilities `[targets]` of the tokens of all answers. */
function tokensOf(t: Trace, name: string): Value {
  const { writer } = modelThat('writer', t.model, `objective ${name}`);
  const x = t.inputs({ B: 'answers' });
  const { hidden } = writer.hidden(t.p, x, { rows: t.feed('targetRows', 'int32', ['targets']) });
  return tokenLogProb(writer.head(t.p, hidden), t.feed('targetIds', 'int32', ['targets']));
}

/** The rows of each sample of a batch. */
export const samplesOf = (rows: readonly Example[], views: number): (readonly Example[])[] =>
  Array.from({ length: rows.length / views }, (_, i) => rows.slice(i * views, (i + 1) * views));

/** float32 `[targets]`: the weights of all targets of a batch, sample by sample. */
function weightsOf(
  rows: readonly Example[],
  views: number,
  weights: (sample: readonly Example[]) => readonly Float32Array[],
): Tensor<'float32'> {
  const values = samplesOf(rows, views).flatMap((sample) => weights(sample).flatMap((row) => [...row]));
  return float32([values.length], values);
}

/** The option that every method over pairs has. */
export const saysOfBeta = 'how sharply log-ratios count; the policy stays nearer to the reference where it is large';
