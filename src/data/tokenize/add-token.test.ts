import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fixture } from '../../../test/support/fixtures.ts';
import { withSpecialToken } from './add-token.ts';
import { createTokenizer, loadTokenizer } from './tokenizer.ts';

const text = 'A <image> of a 7 <image>.';

describe.each(['byte-level', 'prepend', 'tiny'])('a token added to the tokenizer %s', (name) => {
  it('gets the next id and leaves the others as they are', async () => {
    const before = await loadTokenizer(fixture(`tokenize/${name}`));
    const after = withSpecialToken(before, '<picture>');
    expect(after.specials.get('<picture>')).toBe(before.vocabSize);
    expect(after.vocabSize).toBe(before.vocabSize + 1);
    expect(after.encode(text)).toEqual(before.encode(text));
    // Written by a user it stays characters; written by a template it is the token.
    expect(after.encode('<picture>').ids).not.toContain(before.vocabSize);
    expect(after.encode('<picture>', { special: true }).ids).toContain(before.vocabSize);
  });

  it('is read again from the files, at its place among the added tokens', async () => {
    const before = await loadTokenizer(fixture(`tokenize/${name}`));
    const after = withSpecialToken(before, '<picture>');
    const again = createTokenizer(after.files);
    expect(again.specials).toEqual(after.specials);
    const { added_tokens: added } = JSON.parse(after.files.get('tokenizer.json') as string);
    expect(added.at(-1)).toEqual({
      id: before.vocabSize,
      content: '<picture>',
      lstrip: false,
      normalized: false,
      rstrip: false,
      single_word: false,
      special: true,
    });
  });
});

it('a token that is there stays as it is, and one that is no special token becomes one', async () => {
  const before = await loadTokenizer(fixture('tokenize/byte-level'));
  const known = [...before.specials.keys()][0] as string;
  expect(withSpecialToken(before, known)).toBe(before);
  const file = JSON.parse(readFileSync(fixture('tokenize/byte-level/tokenizer.json'), 'utf8'));
  const ordinary = Object.keys(file.model.vocab).find(
    (token) => token.length > 3 && !before.specials.has(token),
  ) as string;
  const after = withSpecialToken(before, ordinary);
  expect(after.specials.get(ordinary)).toBe(before.idOf(ordinary));
  expect(after.vocabSize).toBe(before.vocabSize);
});
