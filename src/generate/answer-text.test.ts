import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fixture } from '../../test/support/fixtures.ts';
import { loadTokenizer } from '../data/index.ts';
import { AnswerText, sortStops } from './answer-text.ts';

const tokenizer = await loadTokenizer(fixture('tokenize/byte-level'));

/** What comes out token by token, and at the end. */
function stream(text: string, stops: readonly string[]) {
  const answer = new AnswerText(tokenizer, stops);
  const parts: string[] = [];
  for (const id of tokenizer.encode(text).ids) {
    if (answer.stopped) break;
    parts.push(answer.push(id));
  }
  parts.push(answer.end());
  return { parts, text: answer.text, stopped: answer.stopped };
}

describe('an answer as text', () => {
  it('gives whole characters', () => {
    const { parts, text } = stream('a 😀 cube — café', []);
    expect(text).toBe('a 😀 cube — café');
    expect(parts.join('')).toBe(text);
    for (const part of parts) expect(part).not.toMatch(/\uFFFD|\p{Surrogate}/u);
  });

  it('is cut exactly at the first stop string', () => {
    expect(stream('a red cube. User: and', ['User:', ' cube'])).toMatchObject({ text: 'a red', stopped: true });
    expect(stream('abcabd', ['abd'])).toMatchObject({ text: 'abc', stopped: true });
    expect(stream('no end', ['###'])).toMatchObject({ text: 'no end', stopped: false });
  });

  it('holds back what may become a stop string and gives it when it does not', () => {
    const answer = new AnswerText(tokenizer, ['###']);
    const [hash] = tokenizer.encode('#').ids as [number];
    const [letter] = tokenizer.encode('a').ids as [number];
    expect([letter, hash, hash, letter, hash].map((id) => answer.push(id))).toEqual(['a', '', '', '##a', '']);
    expect(answer.end()).toBe('#');
    expect(answer.text).toBe('a##a#');
  });

  it('shows ids beyond the vocabulary as unknown', () => {
    const answer = new AnswerText(tokenizer, []);
    expect(answer.push(tokenizer.vocabSize)).toBe('\uFFFD');
  });

  it('never takes back what it gave', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '#', ' '), maxLength: 20 });
    const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '#'), minLength: 1, maxLength: 4 }), {
      maxLength: 3,
    });
    fc.assert(
      fc.property(letters, stops, (text, ends) => {
        const got = stream(text, ends);
        const cuts = ends.map((end) => text.indexOf(end)).filter((at) => at >= 0);
        expect(got.parts.join('')).toBe(got.text);
        expect(text.startsWith(got.text)).toBe(true);
        expect(got.stopped).toBe(cuts.length > 0);
        if (ends.length < 2) expect(got.text).toBe(text.slice(0, cuts[0] ?? text.length));
        for (const end of ends) expect(got.text).not.toContain(end);
      }),
    );
  });
});

describe('stops', () => {
  it('are ids where the text is a special token', async () => {
    const tiny = await loadTokenizer(fixture('tokenize/tiny'));
    const stops = sortStops([3], ['</s>', '###'], tiny);
    expect(stops.texts).toEqual(['###']);
    expect([...stops.ids]).toEqual([3, tiny.specials.get('</s>')]);
  });
  it('are not empty, and texts need a tokenizer', () => {
    for (const attempt of [() => sortStops([], [''], tokenizer), () => sortStops([], ['a'], undefined)])
      expect(attempt).toThrow(expect.objectContaining({ code: 'generate/stop' }));
  });
});
