import { describe, expect, it } from 'vitest';
import { checkOp } from '../../test/support/check-op.ts';
import { evaluate } from '../../test/support/evaluate.ts';
import { numbers } from '../../test/support/fixtures.ts';
import { float32, int32 } from '../base/index.ts';
import { Graph, gradients, mul, reduceMean, reduceSum, slice, sub, type Value } from '../graph/index.ts';
import { answerLogProbs, changeWeights, conditionalPreferenceLoss, preferenceLoss } from './index.ts';

/** The specification's pair F1: log-probabilities of every token by policy and reference, the end of the text last. */
const policy = { chosen: [-0.2, -0.5, -1.1, -0.3, -0.05], rejected: [-0.4, -2.1, -0.9, -0.1] };
const reference = { chosen: [-0.25, -0.7, -1.4, -0.35, -0.1], rejected: [-0.35, -1.6, -0.8, -0.25] };
const ones = { chosen: [1, 1, 1, 1, 1], rejected: [1, 1, 1, 1] };

type Sides = typeof policy;

const flat = ({ chosen, rejected }: Sides) => float32([9], [...chosen, ...rejected]);
const answers = int32([9], [0, 0, 0, 0, 0, 1, 1, 1, 1]);

/** DPO of F1 as the graph computes it. */
async function dpo(
  beta: number,
  weights: Sides = ones,
  own: Sides = policy,
  other: Sides = reference,
): Promise<number> {
  const graph = new Graph();
  const given = (name: string) => graph.input(name, 'float32', ['K']);
  const whose = graph.input('answers', 'int32', ['K']);
  const each = given('weights');
  const sums = (name: string) => answerLogProbs(given(name), whose, 2, each);
  const ratios = sub(sums('policy'), sums('reference'));
  const loss = preferenceLoss(slice(ratios, 0, 0, 1), slice(ratios, 0, 1, 2), beta);
  const feeds = { policy: flat(own), reference: flat(other), weights: flat(weights), answers };
  return numbers((await evaluate(graph, { loss }, feeds)).get('loss'))[0] as number;
}

function weighted(gamma: number, average: boolean): Sides {
  const side = (changed: number[]) => [...changeWeights(Uint8Array.from(changed), gamma, average)];
  return { chosen: side([0, 1, 1, 0, 0]), rejected: side([0, 1, 0, 0]) };
}

describe('DPO', () => {
  it.each([
    ['1a', 0.1, 1, false, 0.6372993954215309],
    ['1b', 0.5, 1, false, 0.44641821006991494],
    ['1c', 0.1, 1, true, 0.6804784596078269],
    ['1d', 0.5, 1, true, 0.6314278369160963],
    ['21a', 0.5, 5, true, 0.5723692727132328],
    ['21a with beta 0.1', 0.1, 5, true, 0.6676631025402279],
    ['21b', 0.1, 5, false, 0.46844027948747263],
    ['21b with beta 0.5', 0.5, 5, false, 0.0733934095133464],
    ['21c', 0.1, 1.1, false, 0.632599035317169],
    ['21c with beta 0.5', 0.5, 1.1, false, 0.4287006782765186],
    ['21d', 0.1, 1.1, true, 0.6797993826203992],
    ['21d with beta 0.5', 0.5, 1.1, true, 0.628212329692843],
  ])('has the value of vector %s', async (_, beta, gamma, average, expected) => {
    expect(Math.abs((await dpo(beta, weighted(gamma, average))) / expected - 1)).toBeLessThan(1e-6);
  });

  it('counts the closing token and the reference: vectors 1i and 1j are what it would be without', async () => {
    const open = (sides: Sides): Sides => ({
      chosen: sides.chosen.with(-1, 0),
      rejected: sides.rejected.with(-1, 0),
    });
    const none: Sides = { chosen: [0, 0, 0, 0, 0], rejected: [0, 0, 0, 0] };
    expect(await dpo(0.1, open(ones))).toBeCloseTo(0.6325990353171691, 6);
    expect(await dpo(0.1, ones, policy, none)).toBeCloseTo(0.6279235777077612, 6);
    expect(Math.abs((await dpo(0.1)) - 0.6325990353171691)).toBeGreaterThan(1e-3);
  });

  it('has the gradient of vector 1k for each token, and the mean of vector 1l over pairs', async () => {
    const graph = new Graph();
    const tokens = graph.input('tokens', 'float32', ['K']);
    const ratios = sub(
      answerLogProbs(tokens, graph.input('answers', 'int32', ['K']), 2),
      graph.input('r', 'float32', [2]),
    );
    const loss = reduceSum(preferenceLoss(slice(ratios, 0, 0, 1), slice(ratios, 0, 1, 2), 0.1));
    const [gradient] = gradients(loss, [tokens]);
    const feeds = { tokens: flat(policy), answers, r: float32([2], [-2.8, -3]) };
    const each = numbers((await evaluate(graph, { gradient: gradient as Value }, feeds)).get('gradient'));
    const expected = -0.04712816430485603;
    for (const [i, value] of each.entries()) expect(value / (i < 5 ? expected : -expected)).toBeCloseTo(1, 5);

    const pairs = new Graph();
    const margins = pairs.input('margins', 'float32', ['M']);
    const mean = reduceMean(preferenceLoss(margins, mul(margins, 0), 0.1));
    const found = numbers((await evaluate(pairs, { mean }, { margins: float32([2], [1.15, -0.8]) })).get('mean'));
    expect((found[0] as number) / 0.6856231813695604).toBeCloseTo(1, 6);
  });

  it('is log 2 where the policy is the reference, whatever beta and weights are', async () => {
    for (const weights of [ones, weighted(5, true), weighted(7, false)]) {
      expect(await dpo(0.7, weights, reference, reference)).toBeCloseTo(Math.LN2, 6);
    }
  });

  it('rises by the scaled margin when the answers change places', async () => {
    const swapped = await dpo(-0.3);
    expect((await dpo(0.3)) - swapped).toBeCloseTo(-0.3 * 1.15, 5);
  });

  it('has its derivative for every token', () =>
    checkOp('dpo', {
      inputs: { policy: flat(policy), reference: flat(reference), answers },
      wrt: ['policy'],
      symbolic: ['policy', 'reference', 'answers'],
      build({ policy, reference, answers }) {
        const sums = (tokens?: Value) => answerLogProbs(tokens as Value, answers as Value, 2);
        const ratios = sub(sums(policy), sums(reference));
        return preferenceLoss(slice(ratios, 0, 0, 1), slice(ratios, 0, 1, 2), 0.1);
      },
    }));
});

describe('mDPO', () => {
  const f1 = { chosen: 0.65, rejected: -0.5, corrupted: -0.15 };
  const drift = { chosen: -3, rejected: -6, corrupted: -3.5 };
  const all = { beta: 0.1, delta: 0, conditional: true, anchored: true };

  async function mdpo(ratios: typeof f1, terms: typeof all): Promise<number> {
    const graph = new Graph();
    const given = (name: keyof typeof f1) => graph.input(name, 'float32', ['M']);
    const [chosen, rejected, corrupted] = [given('chosen'), given('rejected'), given('corrupted')];
    const loss = conditionalPreferenceLoss({ chosen, rejected, corrupted }, terms);
    const feeds = Object.fromEntries(Object.entries(ratios).map(([name, ratio]) => [name, float32([1], [ratio])]));
    return numbers((await evaluate(graph, { loss }, feeds)).get('loss'))[0] as number;
  }

  it.each([
    ['24a', f1, { conditional: false, anchored: false }, 0.6372993954215309],
    ['24a and 24b', f1, { anchored: false }, 0.6372993954215309 + 0.65394696731759],
    ['24a and 24c', f1, { conditional: false }, 0.6372993954215309 + 0.6611752126141188],
    ['24d', f1, {}, 1.95242157535324],
    ['24e', f1, { conditional: false, delta: 0.2 }, 0.6372993954215309 + 0.7629235777077612],
    ['24f, the first term', drift, { conditional: false, anchored: false }, 0.5543552444685271],
    ['24f, the first two', drift, { anchored: false }, 0.5543552444685271 + 0.6684596480132863],
    ['24f, without the second', drift, { conditional: false }, 0.5543552444685271 + 0.8543552444685272],
    ['24f', drift, {}, 2.0771701369503406],
  ])('has the value of vector %s', async (_, ratios, terms, expected) => {
    expect(Math.abs((await mdpo(ratios, { ...all, ...terms })) / expected - 1)).toBeLessThan(1e-6);
  });

  it('pushes a chosen answer that lost probability up more by its anchor than by DPO, as in vector 24f', async () => {
    const slope = async (terms: Partial<typeof all>) => {
      const graph = new Graph();
      const chosen = graph.input('chosen', 'float32', [1]);
      const [rejected, corrupted] = [graph.constant(float32([1], [-6])), graph.constant(float32([1], [-3.5]))];
      const loss = conditionalPreferenceLoss({ chosen, rejected, corrupted }, { ...all, ...terms });
      const [gradient] = gradients(reduceSum(loss), [chosen]);
      const feeds = { chosen: float32([1], [-3]) };
      return numbers((await evaluate(graph, { gradient: gradient as Value }, feeds)).get('gradient'))[0] as number;
    };
    const plain = await slope({ conditional: false, anchored: false });
    expect(plain).toBeCloseTo(-0.0425557483188341, 6);
    expect((await slope({ conditional: false })) - plain).toBeCloseTo(-0.0574442516811659, 6);
  });

  it('is 3 log 2 where the policy is the reference', async () => {
    expect(await mdpo({ chosen: 0, rejected: 0, corrupted: 0 }, all)).toBeCloseTo(3 * Math.LN2, 6);
  });
});
