import { describe, expect, it } from 'vitest';
import type { Correction, Judge, Ratings } from '../judge.ts';
import { aspectScores } from './aspect-scores.ts';
import type { Answered } from './builder.ts';
import { correctedSpans } from './corrected-spans.ts';
import { swappedPhrases } from './swapped-phrases.ts';

const signal = new AbortController().signal;
const cut = { refused: { code: 'feedback/cut', message: 'cut' } };

/** A judge that knows what it says of each answer beforehand. */
function judgeThat(known: { ratings?: Record<string, Ratings>; corrections?: Record<string, Correction[]> }): Judge {
  const unknown = { refused: { code: 'feedback/reply', message: 'unknown' } };
  return {
    name: 'known',
    rate: async (items) =>
      items.map(({ answers }) => ({
        kept: answers.map((answer) => {
          const kept = known.ratings?.[answer];
          return kept ? { kept } : unknown;
        }),
      })),
    correct: async (items) =>
      items.map(({ answer }) => {
        const kept = known.corrections?.[answer];
        return kept ? { kept } : unknown;
      }),
    close: async () => {},
  };
}

function question(...answers: Answered['answers']): Answered {
  return { id: '7', image: 'a.png', question: 'What is there?', answers };
}

const rating = (helpfulness: number, ethical_considerations: number, visual_faithfulness: number): Ratings => ({
  helpfulness,
  visual_faithfulness,
  ethical_considerations,
});
const [A, B, C, D] = [rating(4, 5, 3), rating(3, 5, 3), rating(5, 5, 2), rating(2, 5, 1)];
const kept = (...texts: string[]) => texts.map((text) => ({ kept: text }));

describe('aspect scores', () => {
  it('prefer the higher mean of every two answers and drop ties', async () => {
    const judge = judgeThat({ ratings: { A, B, C, D } });
    const [built] = await aspectScores.build(judge, [question(...kept('A', 'B', 'C', 'D'))], signal);
    const pairs = built?.candidates.flatMap((one) =>
      'kept' in one ? [`${one.kept.chosen}>${one.kept.rejected}`] : [],
    );
    expect(pairs?.sort()).toEqual(['A>B', 'A>D', 'B>D', 'C>B', 'C>D']);
    expect(built?.candidates.flatMap((one) => ('refused' in one ? [one.refused.code] : []))).toEqual(['feedback/tie']);
  });

  it('take the mean of the aspects that are rated', async () => {
    const judge = judgeThat({ ratings: { A: { helpfulness: 4 }, B: { helpfulness: 3, visual_faithfulness: 4 } } });
    const [built] = await aspectScores.build(judge, [question(...kept('B', 'A'))], signal);
    expect(built?.candidates).toEqual([{ kept: { of: [0, 1], chosen: 'A', rejected: 'B' } }]);
  });

  it('give every two answers one outcome, whatever was refused of them', async () => {
    const judge = judgeThat({ ratings: { A, D } });
    const asked = [question({ kept: 'A' }, cut, { kept: 'D' }, { kept: 'unrated' }), question({ kept: 'A' }, cut)];
    const [first, second] = await aspectScores.build(judge, asked, signal);
    const codes = first?.candidates.map((one) => ('kept' in one ? 'pair' : one.refused.code));
    expect(codes).toEqual(['feedback/cut', 'pair', 'feedback/reply', 'feedback/cut', 'feedback/cut', 'feedback/reply']);
    expect(second?.candidates).toMatchObject([{ refused: { code: 'feedback/one-answer' } }]);
    expect(first?.findings).toEqual([A, null, D, null]);
  });
});

describe('corrected spans', () => {
  it('make a pair of each answer in which something is wrong', async () => {
    const judge = judgeThat({
      corrections: {
        'a red ball': [{ start: 2, end: 5, text: 'blue' }],
        'a red cube': [],
        'all wrong': [{ start: 0, end: 9, text: '' }],
      },
    });
    const asked = question(...kept('a red ball', 'a red cube', 'all wrong', 'unread'), cut);
    const [built] = await correctedSpans.build(judge, [asked], signal);
    expect(built?.candidates.map((one) => ('kept' in one ? one.kept : one.refused.code))).toEqual([
      { of: [0], chosen: 'a blue ball', rejected: 'a red ball' },
      'feedback/nothing-wrong',
      'feedback/nothing-left',
      'feedback/reply',
      'feedback/cut',
    ]);
  });
});

describe('swapped phrases', () => {
  it('tell where a right phrase stands in the place of a wrong one, and leave the rest the same on both sides', async () => {
    const answer = 'A red ball and a tall cup on a table. A ring.';
    const judge = judgeThat({
      corrections: {
        [answer]: [
          { start: 2, end: 6, text: 'blue ' },
          { start: 10, end: 25, text: '' },
          { start: 31, end: 36, text: 'white mat' },
          { start: 37, end: 45, text: '' },
        ],
        'a red cube': [],
        'a cube and a cup': [{ start: 6, end: 16, text: '' }],
      },
    });
    const asked = question(...kept(answer, 'a red cube', 'a cube and a cup', 'unread'), cut);
    const [built] = await swappedPhrases.build(judge, [asked], signal);
    const [first, ...others] = built?.candidates ?? [];
    const pair = first && 'kept' in first ? first.kept : undefined;
    expect(pair).toMatchObject({ chosen: 'A blue ball on a white mat.', rejected: 'A red ball on a table.', of: [0] });
    const said = (side: 'chosen' | 'rejected') => pair?.phrases?.map((phrase) => pair[side].slice(...phrase[side]));
    expect([said('chosen'), said('rejected')]).toEqual([
      ['blue', 'white mat'],
      ['red', 'table'],
    ]);
    expect(others.map((one) => ('kept' in one ? one.kept : one.refused.code))).toEqual([
      'feedback/nothing-wrong',
      'feedback/no-phrase',
      'feedback/reply',
      'feedback/cut',
    ]);
    expect(built?.right).toEqual([1]);
  });
});
