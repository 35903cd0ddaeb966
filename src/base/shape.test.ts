import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addDims,
  broadcastShapes,
  type Dim,
  dimTerms,
  divDims,
  evaluateDim,
  floorDim,
  mulDims,
  resolveAxis,
  sizeOf,
  subDims,
} from './shape.ts';

const names = ['B', 'N', 'T'];
const sizes = fc.record(Object.fromEntries(names.map((name) => [name, fc.integer({ min: 0, max: 50 })])));
const leaf: fc.Arbitrary<Dim> = fc.oneof(fc.integer({ min: -5, max: 9 }), fc.constantFrom(...names));
const dim: fc.Arbitrary<Dim> = fc
  .tuple(leaf, leaf, leaf, leaf)
  .map(([a, b, c, d]) => addDims(mulDims(a, b), subDims(c, d)));
const evaluated = (d: Dim, at: Record<string, number>) => evaluateDim(d, new Map(Object.entries(at)));

describe('the arithmetic of sizes', () => {
  it.each([
    ['sum', addDims, (a: number, b: number) => a + b],
    ['difference', subDims, (a: number, b: number) => a - b],
    ['product', mulDims, (a: number, b: number) => a * b],
  ] as const)('has the %s of the numbers', (_, op, plain) => {
    fc.assert(
      fc.property(dim, dim, sizes, (a, b, at) => {
        expect(evaluated(op(a, b), at)).toBe(plain(evaluated(a, at), evaluated(b, at)) + 0);
      }),
      { numRuns: 500, seed: 7 },
    );
  });

  it('writes equal sizes alike, whatever way they were made', () => {
    fc.assert(
      fc.property(dim, dim, dim, (a, b, c) => {
        expect(addDims(addDims(a, b), c)).toBe(addDims(c, addDims(b, a)));
        expect(mulDims(a, addDims(b, c))).toBe(addDims(mulDims(c, a), mulDims(b, a)));
        expect(subDims(a, a)).toBe(0);
      }),
      { numRuns: 500, seed: 7 },
    );
  });

  it('rounds a quotient down and reckons with it as with a name', () => {
    expect(floorDim(7, 4)).toBe(1);
    const rest = subDims('T', mulDims(floorDim('T', 4), 3));
    expect([0, 3, 4, 11].map((T) => evaluated(rest, { T }))).toEqual([0, 3, 1, 5]);
    expect(addDims(rest, mulDims(3, floorDim('T', 4)))).toBe('T');
    expect(() => floorDim('B*T', 4)).toThrow(expect.objectContaining({ code: 'shape/division' }));
  });

  it('divides what is divisible and nothing else', () => {
    expect(divDims('6*B*T', '2*T')).toBe('3*B');
    expect(divDims(addDims('4*B*N', '2*N'), '2*N')).toBe('2*B+1');
    expect(divDims(12, 4)).toBe(3);
    for (const [a, b] of [
      ['5*B', 2],
      ['B', 'T'],
      ['B', 0],
      [7, 2],
      ['B*T', addDims('B', 1)],
    ] as [Dim, Dim][]) {
      expect(divDims(a, b), `${a} / ${b}`).toBeUndefined();
    }
    fc.assert(
      fc.property(dim, fc.constantFrom<Dim>('B', 'T', 'B*N', 3, '2*T'), (a, b) => {
        expect(divDims(mulDims(a, b), b)).toBe(a);
      }),
      { numRuns: 500, seed: 7 },
    );
  });

  it('writes a canonical text', () => {
    expect(addDims('T', 'N')).toBe('T+N');
    expect(mulDims('T', 'B')).toBe('B*T');
    expect(subDims('T', 1)).toBe('T+-1');
    expect(sizeOf(['B', 3, 'T', 2])).toBe('6*B*T');
    expect(dimTerms('2*B*T+3')).toEqual([
      [2, ['B', 'T']],
      [3, []],
    ]);
  });

  it('names the size that is not known', () => {
    expect(() => evaluateDim('B*T', new Map([['B', 2]]))).toThrow(
      expect.objectContaining({ code: 'shape/unbound-name', got: 'B*T', expected: 'one of B' }),
    );
  });
});

it('broadcasts as numpy does', () => {
  expect(broadcastShapes(['B', 1, 4], [3, 1])).toEqual(['B', 3, 4]);
  expect(broadcastShapes([], [2])).toEqual([2]);
  expect(broadcastShapes(['B'], [1])).toEqual(['B']);
  expect(broadcastShapes(['B'], ['T'])).toBeUndefined();
  expect(broadcastShapes([2], [3])).toBeUndefined();
  expect(broadcastShapes([1], [0])).toEqual([0]);
});

it('counts axes from either end and refuses others', () => {
  expect([resolveAxis(-1, 3), resolveAxis(0, 3)]).toEqual([2, 0]);
  for (const axis of [3, -4, 0.5]) expect(() => resolveAxis(axis, 3)).toThrow('outside the tensor');
  expect(() => resolveAxis(0, 0)).toThrow('outside the tensor');
});
