import { describe, expect, it } from 'vitest';
import { checkOp } from '../../../test/support/check-op.ts';
import { maxAbsolute } from '../../../test/support/compare.ts';
import { evaluate } from '../../../test/support/evaluate.ts';
import { numbers } from '../../../test/support/fixtures.ts';
import { float32, int32, int64, Random } from '../../base/index.ts';
import {
  add,
  Graph,
  l2Normalize,
  neg,
  rotary,
  softmax,
  softmaxMatmul,
  softplus,
  tokenLogProb,
  type Value,
} from '../index.ts';

const random = new Random(3, 'functions');
const randomTensor = (...shape: number[]) =>
  float32(
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
  );

/** The first output of a graph over float32 inputs. */
async function apply(build: (x: Value) => Value, shape: readonly number[], values: readonly number[]) {
  const graph = new Graph();
  const y = build(graph.input('x', 'float32', shape));
  return numbers((await evaluate(graph, { y }, { x: float32(shape, values) })).get('y'));
}

describe('softplus', () => {
  it('has its derivative', () =>
    checkOp('softplus', {
      inputs: { x: randomTensor(3, 4) },
      wrt: ['x'],
      symbolic: ['x'],
      build: ({ x }) => softplus(x as Value),
    }));

  it('neither overflows nor loses small values', async () => {
    const got = await apply(softplus, [4], [-200, 200, 0, -10]);
    expect(maxAbsolute(got, [0, 200, Math.LN2, Math.log1p(Math.exp(-10))])).toBeLessThan(1e-6);
  });
});

describe('l2Normalize', () => {
  it('has its derivative', () =>
    checkOp('l2Normalize', {
      inputs: { x: randomTensor(3, 4) },
      wrt: ['x'],
      symbolic: ['x'],
      build: ({ x }) => l2Normalize(x as Value),
    }));

  it('gives unit rows that point the same way', async () => {
    expect(maxAbsolute(await apply(l2Normalize, [2, 2], [3, 4, -0.5, 0]), [0.6, 0.8, -1, 0])).toBeLessThan(1e-7);
  });
});

describe('softmax', () => {
  it.each([true, false])('of a row that is masked throughout is uniform, never NaN (fusion %s)', async (fusion) => {
    const graph = new Graph({ fusion });
    const y = softmax(add(graph.input('x', 'float32', [2, 4]), graph.input('bias', 'float32', [2, 4])));
    const x = float32([2, 4], [1, 2, 3, 4, 0, 0, 0, 0]);
    const bias = float32([2, 4], [-1e9, -1e9, -1e9, -1e9, 0, 0, -1e9, -1e9]);
    const got = numbers((await evaluate(graph, { y }, { x, bias })).get('y'));
    expect(got.slice(0, 4)).toEqual([0.25, 0.25, 0.25, 0.25]);
    expect(got.slice(4)).toEqual([0.5, 0.5, 0, 0]);
  });
});

describe('tokenLogProb', () => {
  it('picks the log-probability of each id, in any number of axes', () =>
    checkOp('tokenLogProb', {
      inputs: { logits: randomTensor(2, 3, 5), ids: int32([2, 3], [0, 4, 2, 2, 1, 3]) },
      wrt: ['logits'],
      symbolic: ['logits', 'ids'],
      build: ({ logits, ids }) => tokenLogProb(logits as Value, ids as Value),
    }));

  it('is log of one over the vocabulary for equal logits', async () => {
    const graph = new Graph();
    const y = tokenLogProb(graph.input('x', 'float32', ['K', 8]), graph.input('ids', 'int64', ['K']));
    const feeds = { x: float32([2, 8], new Float32Array(16).fill(300)), ids: int64([2], [0, 7]) };
    const got = numbers((await evaluate(graph, { y }, feeds)).get('y'));
    expect(maxAbsolute(got, [-Math.log(8), -Math.log(8)])).toBeLessThan(1e-6);
  });
});

describe('rotary', () => {
  const angles = Array.from({ length: 5 * 2 }, (_, i) => 0.3 * i);
  const tables = { cos: float32([5, 2], angles.map(Math.cos)), sin: float32([5, 2], angles.map(Math.sin)) };
  const positions = int64([2, 3], [0, 1, 2, 4, 3, 0]);

  it('turns every head by the angle of its position, and gradients back', () =>
    checkOp('rotary', {
      inputs: { x: randomTensor(2, 3, 8), positions, ...tables },
      wrt: ['x'],
      symbolic: ['x', 'positions'],
      build: ({ x, positions: at, cos, sin }) => rotary(x as Value, at as Value, cos as Value, sin as Value, 2),
    }));

  it('is undone by the opposite angle', async () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [2, 3, 8]);
    const at = graph.input('positions', 'int64', [2, 3]);
    const [cos, sin] = [graph.constant(tables.cos), graph.constant(tables.sin)];
    const back = rotary(rotary(x, at, cos, sin, 2), at, cos, neg(sin), 2);
    const data = randomTensor(2, 3, 8);
    const got = await evaluate(graph, { back }, { x: data, positions });
    expect(maxAbsolute(numbers(got.get('back')), numbers(data))).toBeLessThan(1e-6);
  });
});

describe('softmaxMatmul', () => {
  const product = ({ scores, values }: Readonly<Record<string, Value>>) =>
    softmaxMatmul(scores as Value, values as Value);

  it('has the derivatives of a softmax and a product', () =>
    checkOp('softmaxMatmul', {
      inputs: { scores: randomTensor(2, 3, 4, 5), values: randomTensor(2, 3, 5, 2) },
      wrt: ['scores', 'values'],
      symbolic: ['scores', 'values'],
      build: product,
    }));

  it('averages the values that a row of scores may see', async () => {
    const graph = new Graph();
    const y = product({ scores: graph.input('s', 'float32', ['T', 3]), values: graph.input('v', 'float32', [3, 1]) });
    const s = float32([2, 3], [0, 0, 0, -1e9, 5, 5]);
    const got = await evaluate(graph, { y }, { s, v: float32([3, 1], [1, 2, 6]) });
    expect(maxAbsolute(numbers(got.get('y')), [3, 4])).toBeLessThan(1e-6);
  });

  it('refuses values of another length', () => {
    const graph = new Graph();
    const [scores, values] = [graph.input('s', 'float32', [2, 3]), graph.input('v', 'float32', [4, 1])];
    expect(() => softmaxMatmul(scores, values)).toThrow(/scores and values do not fit/);
  });
});
