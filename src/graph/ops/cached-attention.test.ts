import { describe, expect, it } from 'vitest';
import { maxAbsolute } from '../../../test/support/compare.ts';
import { evaluate } from '../../../test/support/evaluate.ts';
import { numbers } from '../../../test/support/fixtures.ts';
import { float32, int32, Random, zeros } from '../../base/index.ts';
import { Graph } from '../node.ts';
import { type CachedAttentionAttrs, cachedAttention } from './cached-attention.ts';

const [HEADS, KV, SIZE, CAPACITY] = [4, 2, 16, 12];

function draw(shape: readonly number[], name: string) {
  const random = new Random(1, name);
  return float32(
    shape,
    shape[0] === undefined ? [] : Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * random.normal()),
  );
}

type Options = Omit<CachedAttentionAttrs, 'rotary' | 'heads' | 'kvHeads'>;

/** A prompt of `count` tokens, then one token more, by the operator of the processor or by plain operators. */
async function run(target: 'cpu' | 'webgpu', rotary: boolean, options: Options, count: number) {
  const graph = new Graph();
  const input = (name: string, width: number) => graph.input(name, 'float32', ['B', 'S', width]);
  const tables = rotary && {
    cos: graph.input('cos', 'float32', [16, SIZE / 2]),
    sin: graph.input('sin', 'float32', [16, SIZE / 2]),
  };
  const { out, key, value } = cachedAttention(
    {
      query: input('query', HEADS * SIZE),
      key: input('key', KV * SIZE),
      value: input('value', KV * SIZE),
      pastKey: graph.input('pastKey', 'float32', ['B', KV, 'C', SIZE]),
      pastValue: graph.input('pastValue', 'float32', ['B', KV, 'C', SIZE]),
      lastPosition: graph.input('lastPosition', 'int32', ['B']),
      total: graph.input('total', 'int32', []),
      rotary: tables || undefined,
    },
    { heads: HEADS, kvHeads: KV, ...options },
  );
  const angles = Array.from({ length: 16 * (SIZE / 2) }, (_, i) => Math.floor(i / 8) / 10 ** ((i % 8) / 8));
  const tables_ = { cos: float32([16, 8], angles.map(Math.cos)), sin: float32([16, 8], angles.map(Math.sin)) };
  const call = (name: string, s: number, last: number[], past: object) =>
    evaluate(
      graph,
      { out, presentKey: key, presentValue: value },
      {
        query: draw([2, s, HEADS * SIZE], `query ${name}`),
        key: draw([2, s, KV * SIZE], `key ${name}`),
        value: draw([2, s, KV * SIZE], `value ${name}`),
        lastPosition: int32([2], last),
        total: int32([], [Math.max(...last) + 1]),
        ...tables_,
        ...past,
      },
      { target },
    );
  const empty = zeros('float32', [2, KV, CAPACITY, SIZE]);
  const first = await call('prompt', count, [count - 1, count - 1], { pastKey: empty, pastValue: empty });
  const next = await call('step', 1, [count, count], {
    pastKey: first.get('presentKey'),
    pastValue: first.get('presentValue'),
  });
  return [...numbers(first.get('out')), ...numbers(next.get('out'))];
}

describe('attention over a cache', () => {
  it.each<[string, boolean, Options]>([
    ['rotary', true, {}],
    ['no rotary', false, {}],
    ['a scale', false, { scale: 0.3 }],
    ['a soft cap', true, { softcap: 5 }],
    ['a window', true, { window: 3 }],
    ['a window of one', false, { window: 1 }],
    ['all of it', true, { scale: 0.4, softcap: 3, window: 4 }],
  ])('%s: the fused operator computes what plain operators do', async (_, rotary, options) => {
    const [fused, plain] = [await run('cpu', rotary, options, 7), await run('webgpu', rotary, options, 7)];
    expect(maxAbsolute(fused, plain)).toBeLessThan(1e-5);
  });
});
