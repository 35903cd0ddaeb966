import { describe, expect, it } from 'vitest';
import { maxAbsolute } from '../../../test/support/compare.ts';
import { fixtureJson } from '../../../test/support/fixtures.ts';
import { type ScheduleName, scheduleFactor } from './schedule.ts';

interface Curve {
  readonly warmup: number;
  readonly total: number;
  readonly factors: readonly number[];
}

const { cosine } = fixtureJson('optim/optim.json') as { cosine: Curve[] };

function curve(name: ScheduleName, warmup: number, total: number): number[] {
  return Array.from({ length: total + 1 }, (_, step) => scheduleFactor({ name, warmup, total }, step));
}

describe('scheduleFactor', () => {
  it.each(cosine)(
    'cosine with $warmup of $total steps of warm-up is that of transformers',
    ({ warmup, total, factors }) => {
      expect(maxAbsolute(curve('cosine', warmup, total), factors)).toBeLessThan(1e-12);
    },
  );

  it('linear falls to nothing by equal steps, constant stays', () => {
    expect(curve('linear', 2, 6)).toEqual([0, 0.5, 1, 0.75, 0.5, 0.25, 0]);
    expect(curve('constant', 2, 4)).toEqual([0, 0.5, 1, 1, 1]);
    expect(curve('constant', 0, 1)).toEqual([1, 1]);
  });
});
