import { type Fault, float32, int32, type Tensor } from '../../base/index.ts';
import type { Example } from '../../data/index.ts';
import { add, cast, less, logSoftmax, mul, reduceSum, takeRows, tokenLogProb, type Value } from '../../graph/index.ts';
import { modelThat } from '../../models/index.ts';
import { forwardDivergence, phraseLoss, phraseRatios } from '../../objectives/index.ts';
import { method, type Objective, type Trace } from '../objective.ts';
import { samplesOf } from './pairs.ts';

const views = ['chosen', 'rejected', 'reference'] as const;

/** HALVA (Sarkar et al. 2024): wrong phrases against the right ones in their places, and a tether to other answers. */
export const halva = method({
  says: 'the right phrase over a wrong one in its place, beside answers that stay as they are',
  options: {
    alpha: { says: 'weight of the divergence from the reference, a sum over the tokens of an answer', value: 0.4 },
    slots: {
      says: 'pairs of phrases that a row counts as having at least; empty ones add log 2, as in the released code',
      value: 0,
    },
  },
  objective: ({ alpha, slots }): Objective => ({
    name: 'halva',
    needs: 'writer',
    views,
    adds: true,
    units: ['sample', 'phrase'],
    phrases: (rows) => slotsOf(rows, slots),
    fault: faultOf,
    feeds: (rows, width) => feedsOf(rows, width, slots),
    sizes: (rows) => ({
      feeds: [
        'targetRows',
        'targetIds',
        'phrasePlaces',
        'phraseOf',
        'phraseSigns',
        'phraseNone',
        'keptPlaces',
        'keptRows',
      ],
      sizes: sizesOf(rows, slots),
    }),
    before: [
      {
        weights: 'reference',
        trace: (t) => ({ reference: logSoftmax(logitsAt(t, t.feed('keptRows', 'int32', ['kept']))) }),
      },
    ],
    trace(t) {
      const logits = logitsAt(t, t.feed('targetRows', 'int32', ['targets']));
      const width = logits.shape.at(-1) as number;
      const said = takeRows(logits, t.feed('phrasePlaces', 'int32', ['told']));
      const tokens = tokenLogProb(said, t.feed('targetIds', 'int32', ['told']));
      const ratios = phraseRatios(
        tokens,
        t.feed('phraseOf', 'int32', ['told']),
        t.feed('phraseSigns', 'float32', ['told']),
        t.feed('phraseNone', 'float32', ['phrases']),
      );
      const kept = takeRows(logits, t.feed('keptPlaces', 'int32', ['kept']));
      const far = forwardDivergence(t.feed('reference', 'float32', ['kept', width]), kept);
      const [perPhrase, perSample] = [t.share('phrase'), t.share('sample')];
      return t.graph.within('loss', () => {
        const align = mul(reduceSum(phraseLoss(ratios)), perPhrase);
        const divergence = mul(reduceSum(far), perSample);
        const right = cast(less(ratios, 0), 'float32');
        return {
          loss: add(align, mul(divergence, alpha)),
          metrics: { align, kl: divergence, phrase_accuracy: mul(reduceSum(right), perPhrase) },
        };
      });
    },
  }),
});

/** Logits `[.., V]` of the tokens behind these places of the grid of all rows. */
function logitsAt(t: Trace, rows: Value): Value {
  const { writer } = modelThat('writer', t.model, 'objective halva');
  const { hidden } = writer.hidden(t.p, t.inputs({ B: 'answers' }), { rows });
  return writer.head(t.p, hidden);
}

/** A token that the loss reads: the flat row that it is told from, and itself. */
interface Told {
  readonly row: number;
  readonly id: number;
  /** The pair of phrases that it belongs to, of all in the batch. */
  readonly phrase: number;
  readonly sign: 1 | -1;
}

/** How many pairs of phrases a row has. */
const countOf = ({ phrases }: Pick<Example, 'phrases'>): number => phrases?.reduce((a, b) => Math.max(a, b), 0) ?? 0;

/** Pairs of phrases of all samples, those that only fill a sample up included. */
function slotsOf(rows: readonly Example[], slots: number): number {
  return samplesOf(rows, views.length).reduce((n, [chosen]) => n + Math.max(countOf(chosen as Example), slots), 0);
}

/** The tokens of the phrases of all samples. */
function toldIn(rows: readonly Example[], width: number, slots: number): Told[] {
  let first = 0;
  return samplesOf(rows, views.length).flatMap((sample, s) => {
    const [chosen, rejected] = sample as [Example, Example];
    const before = first - 1;
    first += Math.max(countOf(chosen), slots);
    return (
      [
        [rejected, 1],
        [chosen, -1],
      ] as const
    ).flatMap(([row, sign]) => {
      const b = views.length * s + (sign === 1 ? 1 : 0);
      return [...row.ids].flatMap((id, t): Told[] => {
        const phrase = row.phrases?.[t] ?? 0;
        return phrase > 0 ? [{ row: b * width + t - 1, id, phrase: before + phrase, sign }] : [];
      });
    });
  });
}

/** Flat rows of the reference answers' tokens. */
function keptIn(rows: readonly Example[], width: number): number[] {
  return samplesOf(rows, views.length).flatMap(([, , row], s) => {
    const at = (views.length * s + 2) * width;
    return [...(row as Example).supervised].flatMap((mark, t) => (mark === 1 && t > 0 ? [at + t - 1] : []));
  });
}

function feedsOf(rows: readonly Example[], width: number, slots: number): Map<string, Tensor> {
  const told = toldIn(rows, width, slots);
  const kept = keptIn(rows, width);
  const column = (values: readonly number[]) => int32([values.length], values);
  const phrases = slotsOf(rows, slots);
  return new Map<string, Tensor>([
    ['targetRows', column([...told.map(({ row }) => row), ...kept])],
    ['targetIds', column(told.map(({ id }) => id))],
    ['phrasePlaces', column([...told.keys()])],
    ['phraseOf', column(told.map(({ phrase }) => phrase))],
    [
      'phraseSigns',
      float32(
        [told.length],
        told.map(({ sign }) => sign),
      ),
    ],
    ['phraseNone', float32([phrases], new Float32Array(phrases))],
    ['keptPlaces', column(kept.map((_, i) => told.length + i))],
    ['keptRows', column(kept)],
  ]);
}

function sizesOf(rows: readonly Example[], slots: number): Map<string, number> {
  const [told, kept] = [toldIn(rows, 0, slots).length, keptIn(rows, 0).length];
  return new Map([
    ['targets', told + kept],
    ['told', told],
    ['kept', kept],
    ['phrases', slotsOf(rows, slots)],
    ['answers', rows.length],
  ]);
}

/** Every pair of phrases has tokens on both sides. */
function faultOf(rows: readonly Example[]): Fault | undefined {
  const [chosen, rejected] = rows.map(({ phrases }) =>
    [...new Set(phrases)].filter((n) => n > 0).sort((a, b) => a - b),
  );
  const whole = (found: readonly number[] = []) => found.length > 0 && found.every((n, i) => n === i + 1);
  if (whole(chosen) && whole(rejected) && chosen?.length === rejected?.length) return undefined;
  return {
    code: 'row/phrases',
    message: 'a phrase of the pair has no token of its own, or has no other in its place',
    ...(rows[0] && { path: rows[0].where }),
    expected: 'phrases that stand apart, as many on both sides',
    got: `phrases ${chosen?.join(', ') || 'none'} and ${rejected?.join(', ') || 'none'}`,
  };
}
