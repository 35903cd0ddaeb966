import { describe, expect, it } from 'vitest';
import type { ChairCounts } from './chair.ts';
import { chairCounts, chairScores, strictCounts, wordCount } from './chair.ts';
import { sumTallies } from './tally.ts';

function score(captions: readonly (readonly [string, string])[]) {
  const counts = captions.map(([said, there]) => chairCounts(said.split(' '), there.split(' '), 10));
  return chairScores(sumTallies(counts) as ChairCounts);
}

describe('CHAIR', () => {
  it('matches the worked example', () => {
    const scores = score([
      ['cube ball cone cone', 'cube ball'],
      ['cube ring', 'cube ring star'],
      ['star ball star', 'ball'],
    ]);
    expect(scores.i).toBeCloseTo(0.4444444444, 10);
    expect(scores.s).toBeCloseTo(2 / 3, 12);
    expect(scores.recall).toBeCloseTo(0.8333333333, 10);
    expect(scores.iDistinct).toBeCloseTo(0.2857142857, 10);
    expect(scores.length).toBe(10);
  });

  it('gives an empty caption no hallucination and no recall', () => {
    const scores = chairScores(chairCounts([], ['cube'], 0));
    expect(scores).toEqual({ s: 0, response: Number.NaN, i: Number.NaN, iDistinct: Number.NaN, recall: 0, length: 0 });
  });

  it('has the response and mention rate of Object HalBench, which leave captions without an object out', () => {
    const captions: readonly (readonly [string[], string[]])[] = [
      [['cube', 'cone'], ['cube']],
      [['cube'], ['cube', 'ball']],
      [[], ['ball']],
      [
        ['ball', 'ring', 'star', 'star'],
        ['ball', 'ring'],
      ],
    ];
    const counts = captions.map(([said, there]) => chairCounts(said, there, 10));
    const scores = chairScores(sumTallies(counts) as ChairCounts);
    expect(scores.response).toBeCloseTo(2 / 3, 12);
    expect(scores.s).toBe(1 / 2);
    expect(scores.iDistinct).toBeCloseTo(2 / 6, 12);
    expect(scores.recall).toBeCloseTo(4 / 6, 12);
  });

  it('counts thing by thing, and captions that name all once and rightly', () => {
    const counts = [
      { named: 4, amiss: [0, 0], covered: 2 },
      { named: 2, amiss: [], covered: 2 },
      { named: 1, amiss: [], covered: 1 },
    ].map(({ named, amiss, covered }) =>
      strictCounts({ named, covered, amiss: amiss.map(() => ({ of: {}, number: 1, definite: false })) }, 2, 10),
    );
    const scores = chairScores(sumTallies(counts) as ChairCounts);
    expect(scores).toEqual({ s: 1 / 3, i: 2 / 7, recall: 5 / 6, complete: 1 / 3, length: 10 });
  });

  it('counts words at any white space', () => {
    expect(['', ' ', 'a  red\ncube. '].map(wordCount)).toEqual([0, 0, 3]);
  });
});
