import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BatchPlan, halve, planBatches } from './batches.ts';

const epochOf = (plan: BatchPlan, epoch: number) =>
  Array.from({ length: plan.stepsPerEpoch }, (_, i) => plan.at(epoch * plan.stepsPerEpoch + i));
const sorted = (indices: readonly number[]) => [...indices].sort((a, b) => a - b);
const all = (count: number) => Array.from({ length: count }, (_, i) => i);
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 });

describe('planBatches', () => {
  test('takes every example once an epoch, in batches of the size asked for', () => {
    fc.assert(
      fc.property(
        sizes,
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        fc.integer({ min: 0, max: 5 }),
        (lengths, batch, group, epoch) => {
          const plan = planBatches({ count: lengths.length, batch, seed: 3, ...(group && { lengths }) });
          const batches = epochOf(plan, epoch);
          expect(sorted(batches.flat())).toEqual(all(lengths.length));
          expect(batches.filter((indices) => indices.length !== batch).length).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  test('begins anywhere: a step alone is the step of a whole walk', () => {
    const options = { count: 23, batch: 4, seed: 11 };
    const walk = planBatches(options);
    const steps = all(40).map((step) => walk.at(step));
    for (const step of [39, 0, 17, 6]) expect(planBatches(options).at(step)).toEqual(steps[step]);
  });

  test('begins anywhere at once: who would walk there would never arrive', () => {
    const lengths = all(23).map((i) => 1 + (i % 5));
    const plans = [
      () => planBatches({ count: 23, batch: 4, seed: 11 }),
      () => planBatches({ count: 23, batch: 4, seed: 11, lengths }),
    ];
    for (const plan of plans) {
      const { stepsPerEpoch } = plan();
      const far = 1e11 * stepsPerEpoch;
      const epoch = Array.from({ length: stepsPerEpoch }, (_, i) => plan().at(far + i));
      expect(sorted(epoch.flat())).toEqual(all(23));
    }
  });

  test('orders epochs and seeds differently', () => {
    const plan = planBatches({ count: 50, batch: 50, seed: 1 });
    expect(plan.at(0)).not.toEqual(plan.at(1));
    expect(plan.at(0)).not.toEqual(planBatches({ count: 50, batch: 50, seed: 2 }).at(0));
  });

  test('puts like lengths together when given them', () => {
    const lengths = all(64).map((i) => (i * 37) % 64);
    const spread = (plan: BatchPlan) =>
      epochOf(plan, 0).reduce((n, indices) => {
        const own = indices.map((i) => lengths[i] as number);
        return n + Math.max(...own) - Math.min(...own);
      }, 0);
    const options = { count: 64, batch: 8, seed: 5 };
    expect(spread(planBatches({ ...options, lengths }))).toBe(8 * 7);
    expect(spread(planBatches(options))).toBeGreaterThan(8 * 20);
  });

  test('refuses no examples and no batch', () => {
    for (const bad of [
      { count: 0, batch: 1 },
      { count: 1, batch: 0 },
      { count: 1, batch: 1.5 },
    ]) {
      expect(() => planBatches({ ...bad, seed: 1 })).toThrow(expect.objectContaining({ code: 'batch/plan' }));
    }
  });
});

describe('halve', () => {
  const rows = (lengths: readonly number[]) => lengths.map((length, i) => ({ i, ids: { length } }));
  const lengthOf = ({ ids }: { readonly ids: { readonly length: number } }) => ids.length;
  const padded = (part: readonly { ids: { length: number } }[]) =>
    part.length * Math.max(...part.map(({ ids }) => ids.length));

  test('keeps every example, and no cut by length has a smaller larger half', () => {
    fc.assert(
      fc.property(sizes, (lengths) => {
        const parts = halve(rows(lengths), lengthOf);
        expect(parts).toHaveLength(lengths.length > 1 ? 2 : 1);
        expect(sorted(parts.flat().map(({ i }) => i))).toEqual(all(lengths.length));
        const ordered = rows([...lengths].sort((a, b) => a - b));
        const others = all(lengths.length - 1).map((cut) => [ordered.slice(0, cut + 1), ordered.slice(cut + 1)]);
        const larger = (cut: readonly (readonly { ids: { length: number } }[])[]) => Math.max(...cut.map(padded));
        for (const other of others) expect(larger(parts)).toBeLessThanOrEqual(larger(other));
      }),
    );
  });

  test('cuts rows of one length in the middle', () => {
    expect(halve(rows(Array(8).fill(5)), lengthOf).map((part) => part.map(({ i }) => i))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ]);
  });
});
