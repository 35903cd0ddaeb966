import { describe, expect, it } from 'vitest';
import { Random, type TesseraError } from '../base/index.ts';
import { draw, likeliest, picker, processors, temperature, topK, topP } from './sampling.ts';

const none = -Infinity;
const logits = (...values: number[]) => Float64Array.from(values);
/** Logits whose probabilities are these. */
const chances = (...p: number[]) => logits(...p.map(Math.log));
const kept = (x: Float64Array) => [...x.keys()].filter((i) => x[i] !== none);

describe('temperature', () => {
  it('divides, with the largest logit at 0', () => {
    expect([...temperature(2)(logits(1, 3, -1))]).toEqual([-1, 0, -2]);
    expect([...temperature(0.5)(logits(1, 3, -1))]).toEqual([-4, 0, -8]);
  });
  it('keeps the likeliest finite however small it is', () => {
    expect([...temperature(1e-300)(logits(1, 1e30))]).toEqual([none, 0]);
  });
});

describe('top-k', () => {
  it('keeps the k largest', () => {
    expect([...topK(2)(logits(1, 4, 2, 3))]).toEqual([none, 4, none, 3]);
    expect([...topK(9)(logits(1, 4))]).toEqual([1, 4]);
  });
  it('keeps all that equal the k-th', () => {
    expect(kept(topK(2)(logits(1, 3, 1, 0)))).toEqual([0, 1, 2]);
  });
});

describe('top-p', () => {
  // 0.5, then 0.8, then 0.95, then 1.
  const x = chances(0.15, 0.5, 0.05, 0.3);
  it.each([
    [0.01, [1]],
    [0.5, [1]],
    [0.51, [1, 3]],
    [0.79, [1, 3]],
    [0.81, [0, 1, 3]],
    [0.96, [0, 1, 2, 3]],
  ] as const)('%f keeps the tokens that reach it', (p, expected) => {
    expect(kept(topP(p)(x))).toEqual(expected);
  });
  it('keeps the smaller ids among equals', () => {
    expect(kept(topP(0.5)(chances(0.25, 0.25, 0.25, 0.25)))).toEqual([0, 1]);
  });
  it('counts what an earlier step left', () => {
    // Top-k leaves 0.5 and 0.3, which are 0.625 and 0.375 of what is left.
    expect(kept(topP(0.6)(topK(2)(x)))).toEqual([1]);
    expect(kept(topP(0.6)(x))).toEqual([1, 3]);
  });
});

describe('the chain', () => {
  it('is temperature, top-k, top-p', () => {
    const chain = processors({ temperature: 0.5, topK: 3, topP: 0.6 });
    const run = (x: Float64Array) => chain.reduce<Float64Array>((y, step) => step(y), x);
    // Squared, 0.4 : 0.3 : 0.2 : 0.1 is 16 : 9 : 4 : 1; the first of the three kept has 16/29, less than 0.6.
    expect(kept(run(chances(0.1, 0.4, 0.3, 0.2)))).toEqual([1, 2]);
  });
  it('has only the steps asked for', () => {
    expect(processors({ temperature: 1 })).toHaveLength(1);
    expect(processors({ temperature: 1, topP: 1 })).toHaveLength(1);
  });
});

describe('drawing', () => {
  it('has the frequencies of the softmax and nothing that is masked', () => {
    const random = new Random(3, 'draws');
    const x = Float64Array.from([Math.log(0.6), none, Math.log(0.3), Math.log(0.1)]);
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 20000; i++) counts[draw(x, random)]! += 1;
    expect(counts[1]).toBe(0);
    for (const [i, p] of [0.6, 0, 0.3, 0.1].entries())
      expect(Math.abs((counts[i] as number) / 20000 - p)).toBeLessThan(0.015);
  });
  it('repeats with the seed and differs between rows', () => {
    const x = new Float32Array(50);
    const run = (seed: number, row: number) => {
      const pick = picker({ temperature: 1, seed }, row);
      return Array.from({ length: 20 }, () => pick(x));
    };
    expect(run(1, 0)).toEqual(run(1, 0));
    expect(run(1, 0)).not.toEqual(run(1, 1));
    expect(run(1, 0)).not.toEqual(run(2, 0));
  });
});

describe('the likeliest token', () => {
  it('is the first of equals', () => {
    expect(likeliest(Float32Array.of(-1, 2, 2, 0))).toBe(1);
    expect(picker({}, 0)(Float32Array.of(-3, -2, -9))).toBe(1);
  });
  it.each([Number.NaN, Infinity, -Infinity])('is not looked for beside %f', (odd) => {
    for (const pick of [picker({}, 0), picker({ temperature: 1 }, 0)]) {
      expect(() => pick(Float32Array.of(1, odd, 2))).toThrow(expect.objectContaining({ code: 'generate/not-finite' }));
    }
  });
});

it('reports every value out of range', () => {
  const wrong = { temperature: -1, topK: 0, topP: 1.5, seed: 0.5 };
  try {
    picker(wrong, 0);
    expect.unreachable();
  } catch (error) {
    const { path, others } = error as TesseraError;
    expect([path, ...others.map((fault) => fault.path)]).toEqual(['temperature', 'topK', 'topP', 'seed']);
  }
});
