import { describe, expect, it } from 'vitest';
import { evaluate } from '../../test/support/evaluate.ts';
import { numbers } from '../../test/support/fixtures.ts';
import { float32, int32, Random } from '../base/index.ts';
import { add, Graph, gradients, mul, reduceSum, straightThrough, type Value } from '../graph/index.ts';
import { quantization, reconstruction, restartDeadCodes } from './vector-quantization.ts';

async function losses(latents: readonly number[], chosen: readonly number[], rows: number, perImage: number) {
  const graph = new Graph();
  const shape = [rows, latents.length / rows];
  const [z, e] = ['z', 'e'].map((name) => graph.input(name, 'float32', shape)) as [Value, Value];
  const { book, commitment } = quantization(z, e, perImage);
  const [bookZ, bookE] = gradients(book, [z, e]);
  const [commitmentZ, commitmentE] = gradients(commitment, [z, e]);
  const found = { book, commitment, bookZ, bookE, commitmentZ, commitmentE };
  const outputs = new Map(Object.entries(found).filter((entry): entry is [string, Value] => entry[1] !== undefined));
  const feeds = new Map([
    ['z', float32(shape, latents)],
    ['e', float32(shape, chosen)],
  ]);
  return new Map([...(await evaluate(graph, outputs, feeds))].map(([name, tensor]) => [name, numbers(tensor)]));
}

describe('quantization', () => {
  it('is the mean square over an image, once to move the codes and once to move the latents', async () => {
    // Two images of one latent each: (1, 3) from (0, 1), and (2, 2) from (2, 0).
    const got = await losses([1, 3, 2, 2], [0, 1, 2, 0], 2, 1);
    expect(got.get('book')).toEqual([2.5 + 2]);
    expect(got.get('commitment')).toEqual([2.5 + 2]);
    // 2 (e - z) / E and nothing for the other side.
    expect(got.get('bookE')).toEqual([-1, -2, 0, -2]);
    expect(got.get('commitmentZ')).toEqual([1, 2, 0, 2]);
    for (const name of ['bookZ', 'commitmentE']) expect(got.get(name)?.every((x) => x === 0) ?? true).toBe(true);
  });

  it('has the gradients of finite differences', async () => {
    const [z, e] = [
      [0.3, -1.2, 0.7, 0.4, 2, -0.6],
      [0.1, -1, 0.9, 0, 1.5, 0.2],
    ];
    const got = await losses(z, e, 3, 3);
    for (const i of z.keys()) {
      const at = async (values: readonly number[], step: number, of: 'book' | 'commitment') => {
        const moved = values.with(i, (values[i] as number) + step);
        const found = of === 'book' ? await losses(z, moved, 3, 3) : await losses(moved, e, 3, 3);
        return found.get(of)?.[0] as number;
      };
      const slope = async (values: readonly number[], of: 'book' | 'commitment') =>
        ((await at(values, 0.01, of)) - (await at(values, -0.01, of))) / 0.02;
      expect(got.get('bookE')?.[i]).toBeCloseTo(await slope(e, 'book'), 3);
      expect(got.get('commitmentZ')?.[i]).toBeCloseTo(await slope(z, 'commitment'), 3);
    }
  });

  it('is passed over by the gradient of what is made of the codes: the latents get it as it is', async () => {
    const graph = new Graph();
    const [z, e] = ['z', 'e'].map((name) => graph.input(name, 'float32', [1, 3])) as [Value, Value];
    const passed = straightThrough(e, z);
    const [toZ, toE] = gradients(reduceSum(mul(passed, add(passed, 1))), [z, e]);
    const outputs = new Map([['passed', passed], ['toZ', toZ as Value], ...(toE ? [['toE', toE] as const] : [])]);
    const feeds = new Map([
      ['z', float32([1, 3], [5, 6, 7])],
      ['e', float32([1, 3], [1, 2, 3])],
    ]);
    const got = await evaluate(graph, outputs, feeds);
    expect(numbers(got.get('passed'))).toEqual([1, 2, 3]);
    // 2 e + 1 of the codes that were used.
    expect(numbers(got.get('toZ'))).toEqual([3, 5, 7]);
    expect(toE === undefined || numbers(got.get('toE')).every((x) => x === 0)).toBe(true);
  });
});

it('reconstruction is the mean absolute difference of each image', async () => {
  const graph = new Graph();
  const [a, b] = ['a', 'b'].map((name) => graph.input(name, 'float32', [2, 1, 1, 2])) as [Value, Value];
  const feeds = new Map([
    ['a', float32([2, 1, 1, 2], [1, 0, -1, 1])],
    ['b', float32([2, 1, 1, 2], [0, 0.5, 1, 0])],
  ]);
  const got = await evaluate(graph, new Map([['loss', reconstruction(a, b)]]), feeds);
  expect(numbers(got.get('loss'))).toEqual([0.75 + 1.5]);
});

describe('dead codes', () => {
  const table = () => ({ book: float32([4, 2], [0, 0, 9, 9, 8, 8, 7, 7]), unused: float32([4], [0, 2, 1, 2]) });
  const batch = { latents: float32([3, 2], [1, 0, 0, 0, 0, 3]), codes: int32([3], [0, 0, 0]) };

  it('begin anew at latents that are far from their codes, once they have not been chosen for long', () => {
    const { book, unused } = table();
    const found = restartDeadCodes({ book, unused }, [batch], { patience: 3, random: new Random(0, 'test') });
    expect(found).toEqual({ used: 1, restarted: 2 });
    const rows = [1, 3].map((code) => numbers(book).slice(2 * code, 2 * code + 2));
    // The latent that is its code is of no use.
    expect(rows.sort()).toEqual([
      [0, 3],
      [1, 0],
    ]);
    expect(numbers(book).slice(0, 2)).toEqual([0, 0]);
    expect(numbers(book).slice(4, 6)).toEqual([8, 8]);
    expect(numbers(unused)).toEqual([0, 0, 2, 0]);
  });

  it('are left alone before, and where nothing is far', () => {
    const { book, unused } = table();
    const none = restartDeadCodes({ book, unused }, [batch], { patience: 4, random: new Random(0, 'test') });
    expect(none.restarted).toBe(0);
    expect(numbers(unused)).toEqual([0, 3, 2, 3]);
    const near = { latents: float32([1, 2], [0, 0]), codes: int32([1], [0]) };
    const before = numbers(book);
    const found = restartDeadCodes({ book, unused }, [near], { patience: 1, random: new Random(0, 'test') });
    expect(found).toEqual({ used: 1, restarted: 0 });
    expect(numbers(book)).toEqual(before);
  });

  it('draw far latents more often', () => {
    const counts = [0, 0];
    for (let seed = 0; seed < 400; seed++) {
      const made = { book: float32([2, 1], [0, 50]), unused: float32([2], [0, 0]) };
      const coded = { latents: float32([2, 1], [1, 3]), codes: int32([2], [0, 0]) };
      restartDeadCodes(made, [coded], { patience: 1, random: new Random(seed, 'test') });
      const place = [1, 3].indexOf(made.book.data[1] as number);
      counts[place] = (counts[place] as number) + 1;
    }
    // Squares of 1 and 3.
    expect((counts[1] as number) / 400).toBeGreaterThan(0.84);
    expect((counts[1] as number) / 400).toBeLessThan(0.96);
  });
});
