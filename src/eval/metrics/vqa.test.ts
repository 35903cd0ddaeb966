import { describe, expect, it } from 'vitest';
import { TesseraError } from '../../base/index.ts';
import { normaliseAnswer, vqaAccuracy } from './vqa.ts';

/** The definition itself, subset by subset. */
function leaveOneOut(answer: string, gold: readonly string[]): number {
  const accuracies = gold.map((_, left) => {
    const matches = gold.filter((other, i) => i !== left && other === answer).length;
    return Math.min(1, matches / 3);
  });
  return accuracies.reduce((a, b) => a + b, 0) / gold.length;
}

describe('VQA accuracy', () => {
  const gold = (k: number) => Array.from({ length: 10 }, (_, i) => (i < k ? 'red' : `other${i}`));

  it.each([
    [0, 0],
    [1, 0.3],
    [2, 0.6],
    [3, 0.9],
    [4, 1],
    [5, 1],
    [10, 1],
  ])('gives %i matching answers %d', (k, expected) => {
    expect(vqaAccuracy('red', gold(k))).toBeCloseTo(expected, 12);
    expect(vqaAccuracy('red', gold(k))).toBeCloseTo(leaveOneOut('red', gold(k)), 12);
  });

  it('refuses anything but ten answers', () => {
    expect(() => vqaAccuracy('red', ['red'])).toThrow(TesseraError);
  });

  it('normalises both sides', () => {
    expect(vqaAccuracy('The cube.', Array(10).fill('a Cube'))).toBe(1);
    expect(vqaAccuracy('two', Array(10).fill('2'))).toBe(1);
  });
});

describe('VQA normalisation', () => {
  it.each([
    ['  Red ', 'red'],
    ['A red, shiny ball!', 'red shiny ball'],
    ['None', '0'],
    ['ten', '10'],
    ['2.5', '2.5'],
    ['1,000', '1000'],
    ['No.', 'no'],
    ['3.', '3'],
    ['red/blue', 'red blue'],
    ['blue-green', 'blue green'],
    ['dont know', "don't know"],
    ["isn't", "isn't"],
    ['well', 'well'],
    ['left of the cube?', 'left of cube'],
    ['the', ''],
    ['', ''],
  ])('turns %j into %j', (answer, expected) => {
    expect(normaliseAnswer(answer)).toBe(expected);
  });

  it('is settled after one pass', () => {
    for (const text of ['One, two. three', 'a the an', "they'll", 'x-(y)', '.5', '1,2,3']) {
      expect(normaliseAnswer(normaliseAnswer(text))).toBe(normaliseAnswer(text));
    }
  });
});
