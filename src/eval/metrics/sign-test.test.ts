import { describe, expect, it } from 'vitest';
import { signTest } from './sign-test.ts';

describe('signTest', () => {
  it('is the binomial tail, twice', () => {
    // 2 (1 + 10) / 2^10, 2 (1 + 10 + 45) / 2^10, 2 / 2^5
    expect(signTest(9, 1)).toBeCloseTo(22 / 1024, 14);
    expect(signTest(2, 8)).toBeCloseTo(112 / 1024, 14);
    expect(signTest(5, 0)).toBeCloseTo(1 / 16, 14);
  });

  it('is certain of nothing where nothing changed, or as much for the better as for the worse', () => {
    expect(signTest(0, 0)).toBe(1);
    expect(signTest(7, 7)).toBe(1);
    expect(signTest(1, 0)).toBe(1);
  });

  it('holds for thousands, where two to their power is no number', () => {
    // The normal tail with a correction for continuity: z = (2 * 2100 - 4000 - 1) / sqrt(4000) = 3.1466.
    expect(signTest(2100, 1900)).toBeCloseTo(0.00165, 4);
    expect(signTest(1900, 2100)).toBe(signTest(2100, 1900));
    expect(signTest(20_000, 0)).toBe(0);
  });
});
