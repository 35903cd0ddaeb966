import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readTokenizerFiles } from './files.ts';
import { createTokenizer } from './tokenizer.ts';

const fixtures = 'test/fixtures/tokenize/';

interface Reference {
  readonly layout: string;
  readonly added: readonly object[];
  readonly cases: readonly { text: string; ids: number[]; offsets: [number, number][]; decoded: string }[];
}

const reference = (name: string): Reference[] => JSON.parse(readFileSync(`${fixtures}${name}.json`, 'utf8'));

function open({ layout, added }: Reference) {
  const files = new Map(readTokenizerFiles(fixtures + layout));
  const json = JSON.parse(files.get('tokenizer.json') as string);
  json.added_tokens.push(...added);
  files.set('tokenizer.json', JSON.stringify(json));
  return createTokenizer(files);
}

describe.each([
  ...reference('added').map((one) => ({ ...one, written: 'by anybody', special: false })),
  ...reference('marked').map((one) => ({ ...one, written: 'by a template', special: true })),
])('added tokens in the $layout layout, written $written', ({ special, ...one }) => {
  const tokenizer = open(one);

  test.each(one.cases)('are found in $text as the reference finds them', ({ text, ids, offsets, decoded }) => {
    const { ids: got, spans } = tokenizer.encode(text, { special });
    expect(got.map((id) => tokenizer.tokenOf(id))).toEqual(ids.map((id) => tokenizer.tokenOf(id)));
    expect(tokenizer.decode(got)).toBe(decoded);
    if (text !== text.normalize('NFC')) return;
    for (const [i, [start, end]] of spans.entries()) if (end > start) expect([start, end]).toEqual(offsets[i]);
  });
});

test.each(reference('marked'))('special tokens that a user spells stay characters in the $layout layout', (one) => {
  const tokenizer = open(one);
  const specials = new Set(tokenizer.specials.values());
  for (const { text } of one.cases) {
    expect(tokenizer.encode(text).ids.filter((id) => specials.has(id))).toEqual([]);
    // A template's token right behind the same token of a user's.
    const pieces = [
      { text, special: false },
      { text: ' ', special: false },
      { text: '<mark>', special: true },
    ];
    const ids = tokenizer.encodePieces(pieces).ids;
    expect(ids.filter((id) => specials.has(id))).toEqual([tokenizer.specials.get('<mark>')]);
  }
});
