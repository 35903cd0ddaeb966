import { describe, expect, it } from 'vitest';
import { Random } from './random.ts';

const draw = (random: Random, count: number) => Array.from({ length: count }, () => random.next());

describe('Random', () => {
  it('repeats for the same seed and purpose and differs for others', () => {
    const first = draw(new Random(7, 'world', 3), 5);
    expect(draw(new Random(7, 'world', 3), 5)).toEqual(first);
    for (const other of [new Random(8, 'world', 3), new Random(7, 'world', 4), new Random(7, 'worl', 'd3')]) {
      expect(draw(other, 5)).not.toEqual(first);
    }
  });

  it('stays the same from release to release', () => {
    const random = new Random(1, 'pinned');
    expect([random.bits(), random.bits(), random.int(0, 1000), random.next()]).toMatchInlineSnapshot(`
      [
        730491744,
        940409396,
        96,
        0.5561447915647275,
      ]
    `);
  });

  it('goes on from a saved state', () => {
    const random = new Random(7, 'resume');
    draw(random, 10);
    const copy = Random.from(random.state());
    expect(draw(copy, 5)).toEqual(draw(random, 5));
  });

  it('is uniform and normal as far as moments tell', () => {
    const random = new Random(11, 'moments');
    const count = 20_000;
    const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    const uniform = draw(random, count);
    expect(mean(uniform)).toBeCloseTo(0.5, 1);
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...uniform)).toBeLessThan(1);
    const normal = Array.from({ length: count }, () => random.normal());
    expect(Math.abs(mean(normal))).toBeLessThan(0.03);
    expect(mean(normal.map((x) => x * x))).toBeCloseTo(1, 1);
    expect(mean(normal.map((x) => x ** 4))).toBeCloseTo(3, 0);
  });

  it('picks within bounds, by weight, and shuffles without loss', () => {
    const random = new Random(2, 'picks');
    const ints = Array.from({ length: 200 }, () => random.int(-2, 3));
    expect(new Set(ints)).toEqual(new Set([-2, -1, 0, 1, 2]));
    expect(new Set(Array.from({ length: 200 }, () => random.weighted([0, 1, 0, 3])))).toEqual(new Set([1, 3]));
    const items = Array.from({ length: 50 }, (_, i) => i);
    const shuffled = random.shuffle(items);
    expect(shuffled).not.toEqual(items);
    expect([...shuffled].sort((a, b) => a - b)).toEqual(items);
    expect([random.chance(0), random.chance(1)]).toEqual([false, true]);
  });
});
