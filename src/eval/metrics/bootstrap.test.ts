import { describe, expect, it } from 'vitest';
import { Random, TesseraError } from '../../base/index.ts';
import { bootstrap, bootstrapDifference, bootstrapRelative, wilson } from './bootstrap.ts';
import type { Tally } from './tally.ts';
import { share } from './tally.ts';

const accuracy = (sum: Tally) => ({ accuracy: share(sum.right ?? 0, sum.all ?? 0) });

/** Images whose four questions are all right or all wrong: four questions hold the news of one. */
function images(count: number, p: number, seed: number): Tally[] {
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
      const { low, high } = bootstrap(images(60, 0.7, trial), accuracy, { seed: trial, resamples: 300 }).accuracy!;
      if (low! <= 0.7 && 0.7 <= high!) covered++;
    }
    expect(covered).toBeGreaterThanOrEqual(178);
    expect(covered).toBeLessThanOrEqual(199);
  });

  it('has the width of the normal approximation over images, not over questions', () => {
    const { low, high } = bootstrap(images(500, 0.4, 9), accuracy, { seed: 1 }).accuracy!;
    const half = (high! - low!) / 2;
    expect(half).toBeGreaterThan(0.038);
    expect(half).toBeLessThan(0.048);
  });

  it('leaves an undefined score undefined', () => {
    const undefinedScore = { value: null, low: null, high: null };
    expect(bootstrap([{ all: 0 }], accuracy, { seed: 0 }).accuracy).toEqual(undefinedScore);
  });

  it('gives no interval of a few images', () => {
    const clusters = [1, 0, 1, 0].map((right) => ({ right, all: 2 }));
    const few = bootstrap(clusters, accuracy, { seed: 0 }).accuracy;
    expect(few).toEqual({ value: 0.25, low: null, high: null });
    const enough = bootstrap([...clusters, { right: 1, all: 2 }], accuracy, { seed: 0 }).accuracy!;
    expect(enough.low!).toBeLessThan(enough.value!);
  });

  it("is Wilson's where no image differs, or each is one outcome", () => {
    const same = (right: number) =>
      Array.from({ length: 100 }, (_, i) => ({ right: right * (1 + (i % 3)), all: 1 + (i % 3) }));
    expect(bootstrap(same(0), accuracy, { seed: 0 }).accuracy).toEqual({ value: 0, ...wilson(0, 100) });
    expect(bootstrap(same(0.5), accuracy, { seed: 0 }).accuracy).toEqual({ value: 0.5, ...wilson(0.5, 100) });
    const outcomes = Array.from({ length: 20 }, (_, i) => ({ right: Number(i < 3), all: 1 }));
    expect(bootstrap(outcomes, accuracy, { seed: 0 }).accuracy).toEqual({ value: 0.15, ...wilson(0.15, 20) });
  });
});

describe("Wilson's interval", () => {
  // Newcombe 1998, Two-sided confidence intervals for the single proportion, table I, method 3.
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('of %d of %d', (k, n, low, high) => {
    expect(wilson(k / n, n).low).toBeCloseTo(low, 4);
    expect(wilson(k / n, n).high).toBeCloseTo(high, 4);
    expect(wilson(1 - k / n, n).high).toBeCloseTo(1 - low, 4);
  });
});

describe('paired difference', () => {
  it('cancels what both runs share', () => {
    const a = images(80, 0.5, 5);
    const b = a.map((tally) => ({ right: (tally.right as number) / 2, all: 4 }));
    const { value, low, high } = bootstrapDifference(a, a, accuracy, { seed: 2 }).accuracy!;
    expect([value, low, high]).toEqual([0, null, null]);
    const half = bootstrapDifference(a, b, accuracy, { seed: 2 }).accuracy!;
    expect(half.value).toBeCloseTo(bootstrap(a, accuracy, { seed: 2 }).accuracy!.value! / 2, 12);
    expect(half.low!).toBeGreaterThan(0);
  });

  it('refuses runs over different images', () => {
    expect(() => bootstrapDifference([{ all: 1 }], [], accuracy, { seed: 0 })).toThrow(TesseraError);
  });
});

describe('the relative change', () => {
  const score = (sum: Tally) => accuracy(sum).accuracy;
  /** Half of what was wrong before is right afterwards. */
  const change = (seed: number, count = 200) => {
    const before = images(count, 0.4, seed);
    const random = new Random(seed, 'mended');
    return { before, after: before.map((one) => (one.right === 0 && random.chance(0.5) ? { right: 4, all: 4 } : one)) };
  };

  it('is the mean over runs of what was gained, and its interval holds the truth', () => {
    const runs = [1, 2, 3].map((seed) => change(seed));
    const each = runs.map(({ before, after }) => {
      const right = (tallies: readonly Tally[]) => tallies.filter((one) => one.right === 4).length;
      return right(after) / right(before) - 1;
    });
    const found = bootstrapRelative(runs, score, { seed: 0 });
    expect(found.value).toBeCloseTo(each.reduce((a, b) => a + b, 0) / 3, 12);
    expect(found.low).toBeLessThan(0.75);
    expect(found.high).toBeGreaterThan(0.75);
    expect(bootstrapRelative(runs, score, { seed: 0 })).toEqual(found);
  });

  it('is told less surely from fewer images, and by runs that differ', () => {
    const width = (...runs: ReturnType<typeof change>[]) => {
      const { low, high } = bootstrapRelative(runs, score, { seed: 0 });
      return (high as number) - (low as number);
    };
    expect(width(change(1, 50))).toBeGreaterThan(1.5 * width(change(1)));
    const none = { before: change(1).before, after: change(1).before };
    expect(width(change(1), none)).toBeGreaterThan(1.5 * width(change(1), change(1)));
  });

  it('is not told where there was nothing before, nor between few images', () => {
    const none = Array.from({ length: 9 }, () => ({ right: 0, all: 1 }));
    const all = none.map(() => ({ right: 1, all: 1 }));
    expect(bootstrapRelative([{ before: none, after: all }], score, { seed: 0 }).value).toBeNull();
    expect(bootstrapRelative([{ before: all.slice(5), after: none.slice(5) }], score, { seed: 0 })).toEqual({
      value: -1,
      low: null,
      high: null,
    });
  });
});
