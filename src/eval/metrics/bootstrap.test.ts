import { describe, expect, it } from 'vitest';
import { Random, TesseraError } from '../../base/index.ts';
import { bootstrap, bootstrapDifference } from './bootstrap.ts';
import type { Tally } from './tally.ts';
import { share } from './tally.ts';

const accuracy = (sum: Tally) => ({ accuracy: share(sum.right ?? 0, sum.all ?? 0) });

/** Pictures whose four questions are all right or all wrong: four questions hold the news of one. */
function pictures(count: number, p: number, seed: number): Tally[] {
  const random = new Random(seed, 'pictures');
  return Array.from({ length: count }, () => ({ right: random.chance(p) ? 4 : 0, all: 4 }));
}

describe('bootstrap', () => {
  it('is a function of its seed', () => {
    const random = new Random(1, 'uneven');
    const clusters = Array.from({ length: 40 }, () => ({ right: random.next(), all: 1 + random.next() }));
    const run = (seed: number) => bootstrap(clusters, accuracy, { seed, resamples: 100 });
    expect(run(3)).toEqual(run(3));
    expect(run(3)).not.toEqual(run(4));
    expect(run(3).accuracy?.value).toBe(run(4).accuracy?.value);
  });

  it('covers the truth about 95 times in 100', () => {
    let covered = 0;
    for (let trial = 0; trial < 200; trial++) {
      const { low, high } = bootstrap(pictures(60, 0.7, trial), accuracy, { seed: trial, resamples: 300 }).accuracy!;
      if (low! <= 0.7 && 0.7 <= high!) covered++;
    }
    expect(covered).toBeGreaterThanOrEqual(178);
    expect(covered).toBeLessThanOrEqual(199);
  });

  it('has the width of the normal approximation over pictures, not over questions', () => {
    const { low, high } = bootstrap(pictures(500, 0.4, 9), accuracy, { seed: 1 }).accuracy!;
    const half = (high! - low!) / 2;
    expect(half).toBeGreaterThan(0.038);
    expect(half).toBeLessThan(0.048);
  });

  it('leaves an undefined score undefined and has no width without spread', () => {
    expect(bootstrap([{ all: 0 }], accuracy, { seed: 0 }).accuracy).toEqual({ value: null, low: null, high: null });
    const sure = bootstrap([{ right: 1, all: 1 }], accuracy, { seed: 0 }).accuracy;
    expect(sure).toEqual({ value: 1, low: 1, high: 1 });
  });
});

describe('paired difference', () => {
  it('cancels what both runs share', () => {
    const a = pictures(80, 0.5, 5);
    const b = a.map((tally) => ({ right: (tally.right as number) / 2, all: 4 }));
    const { value, low, high } = bootstrapDifference(a, a, accuracy, { seed: 2 }).accuracy!;
    expect([value, low, high]).toEqual([0, 0, 0]);
    const half = bootstrapDifference(a, b, accuracy, { seed: 2 }).accuracy!;
    expect(half.value).toBeCloseTo(bootstrap(a, accuracy, { seed: 2 }).accuracy!.value! / 2, 12);
    expect(half.low!).toBeGreaterThan(0);
  });

  it('refuses runs over different pictures', () => {
    expect(() => bootstrapDifference([{ all: 1 }], [], accuracy, { seed: 0 })).toThrow(TesseraError);
  });
});
