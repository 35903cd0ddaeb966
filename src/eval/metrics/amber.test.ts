import { describe, expect, it } from 'vitest';
import {
  amberNouns,
  amberWords,
  discriminativeCounts,
  discriminativeScores,
  firstYesNo,
  generativeCounts,
  generativeScores,
} from './amber.ts';
import { sumTallies } from './tally.ts';

const vocabulary = amberWords(
  new Map<string, readonly string[]>([
    ...['cube', 'ring', 'star', 'cone', 'table', 'leave'].map((word) => [word, []] as const),
    ['ball', ['sphere']],
    ['forest', ['tree']],
    ['tree', ['forest']],
    ['child', ['kid']],
    ['light', []],
  ]),
  ['light'],
);
const counts = (answer: string, truth: readonly string[], hallu: readonly string[] = []) =>
  generativeCounts(amberNouns(answer, vocabulary), { truth, hallu }, vocabulary, answer.split(' ').length).counts;

describe('AMBER', () => {
  it('has the scores of the worked example of its generative part', () => {
    const found = generativeScores(
      counts('A cube, a ball, a star and a star on a table', ['cube', 'ball', 'ring'], ['star', 'cone']),
    );
    expect(found.chair).toBeCloseTo(3 / 5, 12);
    expect(found.cover).toBeCloseTo(2 / 3, 12);
    expect(found).toMatchObject({ hal: 1, cog: 1 / 2, cogNouns: 2 / 5, length: 12 });
  });

  it('has the scores of the worked example of its discriminative part', () => {
    const of = (times: number, said: 'yes' | 'no', truth: 'yes' | 'no') =>
      Array.from({ length: times }, () => discriminativeCounts(said, truth));
    const all = [...of(5, 'no', 'no'), ...of(1, 'yes', 'no'), ...of(2, 'no', 'yes'), ...of(2, 'yes', 'yes')];
    const found = discriminativeScores(sumTallies(all) as ReturnType<typeof discriminativeCounts>);
    expect(found.accuracy).toBeCloseTo(0.7, 12);
    expect(found.precision).toBeCloseTo(0.7142857143, 9);
    expect(found.recall).toBeCloseTo(0.8333333333, 9);
    expect(found.f1).toBeCloseTo(0.7692307692, 9);
  });

  it('knows objects by their singular and their other names, whatever stands around them', () => {
    const words = amberNouns('Cubes, two SPHERES; children and fallen leaves: a table-cloth, rings.', vocabulary);
    expect(words.map(({ word }) => word)).toEqual(['cube', 'sphere', 'child', 'leave', 'ring']);
    expect(words[1]).toMatchObject({ start: 11, end: 18 });
    expect(counts('a sphere and kids', ['ball', 'child'])).toMatchObject({ covered: 2, unsafe: 0, hallucinating: 0 });
  });

  it('counts a noun for the first object that it may stand for, as the published code does', () => {
    expect(counts('a tree', ['forest', 'tree'])).toMatchObject({ covered: 1 });
    expect(counts('a tree and a forest', ['forest', 'tree'])).toMatchObject({ covered: 2 });
    expect(counts('ball ball', ['ball', 'ball'])).toMatchObject({ covered: 1, present: 2 });
    expect(counts('light', [], ['light'])).toMatchObject({ nouns: 1, unsafe: 0, hit: 0 });
  });

  it('reads an answer by its first word alone', () => {
    expect(['Yes.', ' no, never', '"No"', 'Not at all', 'There is no ball', 'nothing'].map(firstYesNo)).toEqual([
      ...['yes', 'no', 'no'],
      ...[undefined, undefined, undefined],
    ]);
    expect(discriminativeCounts(undefined, 'no')).toMatchObject({ right: 0, denied: 0, absent: 1, unclear: 1 });
  });
});
