import { describe, expect, it } from 'vitest';
import { fixtureJson } from '../../test/support/fixtures.ts';
import { changedItems } from './index.ts';

const marked = (flags: Uint8Array) => [...flags.keys()].filter((i) => flags[i] === 1);
const changes = (a: readonly number[], b: readonly number[]) => changedItems(a, b).map(marked);

describe('changed tokens', () => {
  // Specification of RLHF-V, vector 21f; a prompt of four tokens stands before both answers.
  const prompt = [10, 11, 12, 13];
  it.each([
    [
      'a replaced span',
      [20, 21, 22, 23, 24, 25, 26, 27, 2],
      [20, 21, 22, 33, 34, 35, 25, 26, 27, 2],
      [3, 4],
      [3, 4, 5],
    ],
    ['what is only put in', [20, 21, 22, 25, 26, 27, 2], [20, 21, 22, 33, 25, 26, 27, 2], [], []],
    [
      'two spans with two tokens in common between them',
      [20, 21, 22, 23, 30, 31, 24, 25, 26, 27, 2],
      [20, 21, 22, 43, 30, 31, 44, 25, 26, 27, 2],
      [3, 4, 5, 6],
      [3, 4, 5, 6],
    ],
    [
      'two spans with three',
      [20, 21, 22, 23, 30, 31, 32, 24, 25, 26, 2],
      [20, 21, 22, 43, 30, 31, 32, 44, 25, 26, 2],
      [3, 7],
      [3, 7],
    ],
  ])('%s', (_, chosen, rejected, ...expected) => {
    const answers = changes([...prompt, ...chosen], [...prompt, ...rejected]);
    expect(answers.map((at) => at.map((i) => i - prompt.length))).toEqual(expected);
  });

  it('are those that difflib leaves between its blocks', () => {
    const cases = fixtureJson('changes/cases.json') as { a: number[]; b: number[]; changed: number[][] }[];
    expect(cases.length).toBeGreaterThan(50);
    for (const { a, b, changed } of cases) expect(changes(a, b)).toEqual(changed);
  });

  it('are none in an answer beside itself, nor beside none at all', () => {
    expect(changes([1, 2, 3], [1, 2, 3])).toEqual([[], []]);
    expect(changes([], [1, 2])).toEqual([[], []]);
  });
});
