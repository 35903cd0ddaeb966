import { describe, expect, it } from 'vitest';
import { isUnclear, parseYesNo, popeCounts, popeScores } from './pope.ts';
import { sumTallies } from './tally.ts';

describe('POPE answers', () => {
  it.each([
    ['No, there is not. Yes.', 'no'],
    ["There isn't any", 'yes'],
    ['Nope', 'yes'],
    ['yes, no doubt', 'no'],
    ['Yes.', 'yes'],
    ['no', 'no'],
    ['NO', 'yes'],
    ['It is not', 'no'],
    ['Sure. No', 'yes'],
    ['Well\tno', 'yes'],
    ['', 'yes'],
  ])('reads %j as %s', (answer, expected) => {
    expect(parseYesNo(answer)).toBe(expected);
  });

  it('tells a yes from what is a yes only for want of a no', () => {
    expect(['Yes, it is', 'Nope', '', 'no', 'yes'].map(isUnclear)).toEqual([false, true, true, false, false]);
  });
});

describe('POPE scores', () => {
  it('matches the worked example', () => {
    const scores = popeScores({ tp: 4, fp: 2, tn: 3, fn: 1 });
    expect(scores.accuracy).toBeCloseTo(0.7, 12);
    expect(scores.precision).toBeCloseTo(0.6666666667, 10);
    expect(scores.recall).toBeCloseTo(0.8, 12);
    expect(scores.f1).toBeCloseTo(0.7272727273, 10);
    expect(scores.yesRatio).toBeCloseTo(0.6, 12);
  });

  it('leaves the precision of a model that never says yes undefined', () => {
    const scores = popeScores({ tp: 0, fp: 0, tn: 5, fn: 5 });
    expect(scores).toMatchObject({ accuracy: 0.5, precision: Number.NaN, recall: 0, f1: 0, yesRatio: 0 });
  });

  it('sums the counts of single questions', () => {
    const asked = [popeCounts('yes', 'yes'), popeCounts('yes', 'no'), popeCounts('no', 'no'), popeCounts('no', 'yes')];
    expect(sumTallies(asked)).toEqual({ tp: 1, fp: 1, tn: 1, fn: 1 });
  });
});
