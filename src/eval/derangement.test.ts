import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random, TesseraError } from '../base/index.ts';
import { derange } from './derangement.ts';

describe('derange', () => {
  it('is a permutation without fixed points, whatever the seed', () => {
    fc.assert(
      fc.property(fc.integer(), fc.uniqueArray(fc.string(), { minLength: 2, maxLength: 40 }), (seed, elements) => {
        const map = derange(elements, new Random(seed, 'blind'));
        expect([...map.keys()]).toEqual(elements);
        expect([...map.values()].sort()).toEqual([...elements].sort());
        expect([...map].filter(([from, to]) => from === to)).toEqual([]);
      }),
    );
  });

  it('is a function of the seed', () => {
    const elements = Array.from({ length: 30 }, (_, i) => i);
    const run = (seed: number) => [...derange(elements, new Random(seed, 'blind')).values()];
    expect(run(1)).toEqual(run(1));
    expect(run(1)).not.toEqual(run(2));
  });

  it('refuses a single element', () => {
    expect(() => derange(['a'], new Random(0))).toThrow(TesseraError);
  });
});
