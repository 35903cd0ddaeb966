import { describe, expect, it } from 'vitest';
import { fromBfloat16Bits, fromFloat16Bits, toBfloat16Bits, toFloat16Bits } from './dtype.ts';
import { Random } from './random.ts';

/** The 16-bit numbers, NaN aside, that widening and rounding do not bring back. */
function changed(widen: (bits: number) => number, round: (value: number) => number): number[] {
  const all = Array.from({ length: 0x10000 }, (_, bits) => bits);
  return all.filter((bits) => !Number.isNaN(widen(bits)) && round(widen(bits)) !== bits);
}

describe('bfloat16', () => {
  it('keeps every number that it can hold', () => {
    expect(changed(fromBfloat16Bits, toBfloat16Bits)).toEqual([]);
  });

  it('rounds to the nearest, halves to even', () => {
    expect(fromBfloat16Bits(toBfloat16Bits(1 + 2 ** -8))).toBe(1);
    expect(fromBfloat16Bits(toBfloat16Bits(1 + 3 * 2 ** -8))).toBe(1 + 2 ** -6);
    expect(fromBfloat16Bits(toBfloat16Bits(3.4028234663852886e38))).toBe(Number.POSITIVE_INFINITY);
    expect(Number.isNaN(fromBfloat16Bits(toBfloat16Bits(Number.NaN)))).toBe(true);
  });
});

describe('float16', () => {
  it('keeps every number that it can hold, subnormals and signed zeros too', () => {
    expect(changed(fromFloat16Bits, toFloat16Bits)).toEqual([]);
  });

  it('rounds to the nearest, halves to even', () => {
    const random = new Random(5, 'halves');
    for (let i = 0; i < 2000; i++) {
      const below = random.int(0, 0x7bff);
      const [a, b] = [fromFloat16Bits(below), fromFloat16Bits(below + 1)];
      const even = below % 2 === 0 ? below : below + 1;
      expect(toFloat16Bits((a + b) / 2)).toBe(even);
      expect(toFloat16Bits(a + (b - a) * 0.75)).toBe(below + 1);
      expect(toFloat16Bits(-(a + (b - a) * 0.25))).toBe(below | 0x8000);
    }
  });

  it('turns what is too large into infinity and keeps NaN', () => {
    expect(fromFloat16Bits(toFloat16Bits(65504))).toBe(65504);
    expect(fromFloat16Bits(toFloat16Bits(65520))).toBe(Number.POSITIVE_INFINITY);
    expect(fromFloat16Bits(toFloat16Bits(-1e30))).toBe(Number.NEGATIVE_INFINITY);
    expect(fromFloat16Bits(toFloat16Bits(2 ** -26))).toBe(0);
    expect(Number.isNaN(fromFloat16Bits(toFloat16Bits(Number.NaN)))).toBe(true);
  });
});
