import { describe, expect, it } from 'vitest';
import { readCorrections, readRatings } from './replies.ts';

const rated = (...marks: unknown[]) => JSON.stringify({ answers: marks });
const codes = (outcome: { refused: { code: string } } | { kept: unknown }) =>
  'refused' in outcome ? outcome.refused.code : outcome.kept;

describe('ratings in a reply', () => {
  it('are read with their rationales, as numbers or digits, inside a fence too', () => {
    const one = { helpfulness: { rating: 4, rationale: 'a } brace' }, visual_faithfulness: { rating: '3' } };
    const two = { helpfulness: 2, visual_faithfulness: { rating: 'N/A' }, ethical_considerations: '5' };
    const reply = `Here you are:\n\`\`\`json\n${rated(one, two)}\n\`\`\``;
    expect(readRatings(reply, 2, '1')).toEqual({
      kept: [
        { kept: { helpfulness: 4, visual_faithfulness: 3 } },
        { kept: { helpfulness: 2, ethical_considerations: 5 } },
      ],
    });
  });

  it.each([
    ['', 1],
    ['4', 1],
    ['{"answers": [', 1],
    ['{"answers": {}}', 1],
    [rated({ helpfulness: 4 }), 2],
    [`${rated({ helpfulness: 4 })} or ${rated({ helpfulness: 3 })}`, 1],
    ['} {', 1],
  ])('%j for %d answers are refused', (reply, count) => {
    expect(codes(readRatings(reply, count, '1'))).toBe('feedback/reply');
  });

  it.each([
    [null],
    [{}],
    [5],
    [{ helpfulness: 6 }],
    [{ helpfulness: 0 }],
    [{ helpfulness: '10' }],
    [{ helpfulness: true }],
    [{ helpfulness: [4] }],
    [{ helpfulness: 4.5 }],
  ])('%j refuse the one answer', (mark) => {
    const outcome = readRatings(rated({ helpfulness: 1 }, mark), 2, '1');
    const [one, two] = 'kept' in outcome ? outcome.kept : [];
    expect(one).toEqual({ kept: { helpfulness: 1 } });
    expect(two && codes(two)).toBe('feedback/reply');
  });
});

describe('corrections in a reply', () => {
  const answer = 'There is a red ball and a red cup.';
  const reply = (...corrections: unknown[]) => JSON.stringify({ corrections });

  it('are found in the answer, in its order', () => {
    const given = reply({ wrong: 'red cup', right: 'blue cup' }, { wrong: 'red ball', right: '' });
    expect(readCorrections(given, answer, '1')).toEqual({
      kept: [
        { start: 11, end: 19, text: '' },
        { start: 26, end: 33, text: 'blue cup' },
      ],
    });
    expect(readCorrections('{"corrections": []}', answer, '1')).toEqual({ kept: [] });
  });

  it.each([
    ['nothing', ''],
    ['no list', '{"corrections": "red"}'],
    ['words that are not there', reply({ wrong: 'green', right: 'red' })],
    ['words that are there twice', reply({ wrong: 'red', right: 'blue' })],
    ['no words', reply({ wrong: '', right: 'blue' })],
    ['other types', reply({ wrong: 5, right: 'blue' })],
    ['no right words', reply({ wrong: 'red ball' })],
    ['words that overlap', reply({ wrong: 'red ball', right: 'x' }, { wrong: 'ball and', right: 'y' })],
  ])('with %s are refused', (_, given) => {
    expect(codes(readCorrections(given, answer, '1'))).toBe('feedback/reply');
  });
});
