import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readTokenizerFiles } from './files.ts';
import { createTokenizer, loadTokenizer, type Tokenizer } from './tokenizer.ts';

const fixtures = new URL('../../../test/fixtures/tokenize/', import.meta.url).pathname;
const layouts = ['tiny', 'prepend', 'byte-level'];

interface Case {
  text: string;
  special: boolean;
  ids: number[];
  offsets: [number, number][];
  decoded: string;
  skipped: string;
  opened: number[];
}

const tokenizers = new Map<string, Tokenizer>();
for (const layout of layouts) tokenizers.set(layout, await loadTokenizer(fixtures + layout));
const golden = (layout: string) =>
  JSON.parse(readFileSync(`${fixtures}${layout}.json`, 'utf8')) as { size: number; cases: Case[] };

/** Any well-formed text, weighted towards what vocabularies treat specially. */
const texts = fc
  .array(
    fc.oneof(
      fc.constantFrom(' ', '  ', '\n', 'red', ' cube', '▁', '<0x41>', '</s>', '<image>', '<|im_end|>', 'é', '中', '😀'),
      fc.string({ unit: 'binary' }),
    ),
  )
  .map((parts) => parts.join('').normalize('NFC'));

describe.each(layouts)('the %s layout', (layout) => {
  const tokenizer = tokenizers.get(layout) as Tokenizer;
  const { size, cases } = golden(layout);

  test('has the reference size', () => expect(tokenizer.vocabSize).toBe(size));

  test.each(cases)('encodes $text as the reference does', ({ text, special, ids, opened }) => {
    expect(tokenizer.encode(text, { special }).ids).toEqual(ids);
    if (special) return;
    expect([...tokenizer.prefix, ...tokenizer.encode(text).ids]).toEqual(opened);
  });

  test.each(cases)('decodes $text as the reference does', ({ ids, decoded, skipped }) => {
    expect(tokenizer.decode(ids)).toBe(decoded);
    expect(tokenizer.decode(ids, { skipSpecial: true })).toBe(skipped);
  });

  test('gives the reference offsets, where a token has characters of its own', () => {
    for (const { text, special, offsets } of cases) {
      // Of a character that it composes, the reference names the first part alone.
      if (text !== text.normalize('NFC')) continue;
      const { spans } = tokenizer.encode(text, { special });
      for (const [i, [start, end]] of spans.entries()) {
        if (end > start) expect([text, i, [start, end]]).toEqual([text, i, offsets[i]]);
      }
    }
  });

  test('covers any text in order, and comes back to it', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const { ids, spans } = tokenizer.encode(text);
        let at = 0;
        for (const [start, end] of spans) {
          expect(start).toBeLessThanOrEqual(at);
          expect(end).toBeGreaterThanOrEqual(at);
          at = end;
        }
        expect(at).toBe(text.length);
        // Metaspace cannot tell ▁ from a space; only the older layout puts its own space before one that is there.
        const spaced = text.replaceAll('▁', ' ');
        const spoken = { tiny: spaced.replace(/^ /, ''), prepend: spaced, 'byte-level': text }[layout];
        expect(tokenizer.decode(ids)).toBe(spoken);
      }),
    );
  });

  test('never turns text into a special token', () => {
    const special = new Set(tokenizer.specials.values());
    fc.assert(
      fc.property(texts, (text) => {
        expect(tokenizer.encode(text).ids.filter((id) => special.has(id))).toEqual([]);
      }),
    );
  });

  test('streams only whole characters, adding up to the decoded text', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const { ids } = tokenizer.encode(text);
        const stream = tokenizer.streamDecoder();
        const pieces = [...ids.map((id) => stream.push(id)), stream.end()];
        for (const piece of pieces) expect(piece).not.toMatch(/\p{Surrogate}/u);
        if (!text.includes('\uFFFD')) expect(pieces.join('')).not.toContain('\uFFFD');
        expect(pieces.join('')).toBe(tokenizer.decode(ids));
      }),
    );
  });
});

describe.each(['clip', 'bert'])('the %s layout, which spells words alone', (layout) => {
  const tokenizer = createTokenizer(readTokenizerFiles(fixtures + layout));
  const { size, cases } = golden(layout);
  const words = (text: string) => text.replace(/\s/gu, '');

  test('has the reference size', () => expect(tokenizer.vocabSize).toBe(size));

  test.each(cases)('encodes $text as the reference does', ({ text, ids, offsets, opened }) => {
    const { ids: own, spans } = tokenizer.encode(text);
    expect(own).toEqual(ids);
    expect([...tokenizer.prefix, ...own, tokenizer.eos]).toEqual(opened);
    // Of a character that it composes, the reference names a part alone.
    if (text === text.normalize('NFC')) expect(spans).toEqual(offsets);
  });

  test.each(cases)('decodes $text as the reference does', ({ ids, decoded }) => {
    const own = tokenizer.decode(ids);
    // BERT's library puts marks to the word before them.
    if (layout === 'bert') expect(words(own)).toBe(words(decoded));
    else expect(own).toBe(decoded);
  });

  test('takes the words of any text in order, and streams what it decodes', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const { ids, spans } = tokenizer.encode(text);
        for (const [i, [start, end]] of spans.entries()) {
          const [before, until] = spans[i - 1] ?? [0, 0];
          expect(start).toBeGreaterThanOrEqual(before);
          expect(end).toBeGreaterThanOrEqual(Math.max(until, start + 1));
        }
        const stream = tokenizer.streamDecoder({ skipSpecial: false });
        expect([...ids.map((id) => stream.push(id)), stream.end()].join('')).toBe(tokenizer.decode(ids));
      }),
    );
  });

  test('a text spells no special token but the one for unknown words', () => {
    const special = [...tokenizer.specials.values()].filter((id) => id !== tokenizer.unk);
    fc.assert(
      fc.property(texts, (text) => {
        expect(tokenizer.encode(text).ids.filter((id) => special.includes(id))).toEqual([]);
      }),
    );
  });
});

describe('pieces', () => {
  const tokenizer = tokenizers.get('tiny') as Tokenizer;

  test('a special piece is its token, the same letters in text are not', () => {
    const { ids, spans } = tokenizer.encodePieces([
      { text: 'a red', special: false },
      { text: '<image>', special: true },
      { text: '<image>', special: false },
    ]);
    expect(ids.filter((id) => id === tokenizer.idOf('<image>'))).toHaveLength(1);
    expect(spans[ids.indexOf(tokenizer.idOf('<image>') as number)]).toEqual([5, 12]);
    expect(spans.at(-1)).toEqual([18, 19]);
  });

  test('text pieces are tokenised together', () => {
    const cut = tokenizer.encodePieces([
      { text: 'a r', special: false },
      { text: 'ed cube', special: false },
    ]);
    expect(cut).toEqual(tokenizer.encode('a red cube'));
  });

  test('a special token that strips white space owns it', () => {
    const files = new Map(tokenizer.files);
    const json = JSON.parse(files.get('tokenizer.json') as string);
    for (const token of json.added_tokens) if (token.content === '<image>') token.lstrip = token.rstrip = true;
    files.set('tokenizer.json', JSON.stringify(json));
    const stripping = createTokenizer(files);
    const { ids, spans } = stripping.encode('red <image> \n cube', { special: true });
    expect(ids.map(stripping.tokenOf)).toEqual(['▁red', '<image>', '▁cube']);
    expect(spans).toEqual([
      [0, 3],
      [4, 11],
      [14, 18],
    ]);
  });
});

test('a character that the tokenizer composes takes the place of all its parts', () => {
  const bytes = tokenizers.get('byte-level') as Tokenizer;
  for (const text of ['cafe\u0301s', 'o\u0302\u0323k', '\u1112\u1161\u11ab\u1100\u1173\u11af', '\uac00\u11a8 \u212b']) {
    const { ids, spans } = bytes.encode(text);
    expect(ids).toEqual(bytes.encode(text.normalize('NFC')).ids);
    for (const [start, end] of spans) expect(text.slice(start, end).normalize('NFC')).not.toMatch(/^\p{M}/u);
    expect([spans[0]?.[0], spans.at(-1)?.[1]]).toEqual([0, text.length]);
  }
  expect(bytes.encode('e\u0301s').spans).toEqual([
    [0, 2],
    [0, 2],
    [2, 3],
  ]);
});

describe('the tokens that open and end a sequence', () => {
  const files = (config: object, map?: object) => {
    const { tokenizer_class: _, ...rest } = JSON.parse(
      (tokenizers.get('tiny') as Tokenizer).files.get('tokenizer_config.json') as string,
    );
    const { bos_token: _b, eos_token: _e, unk_token: _u, pad_token: _p, added_tokens_decoder: _d, ...bare } = rest;
    const made = new Map((tokenizers.get('tiny') as Tokenizer).files);
    made.set('tokenizer_config.json', JSON.stringify({ ...bare, ...config }));
    if (map) made.set('special_tokens_map.json', JSON.stringify(map));
    return made;
  };
  const named = { bos_token: '<s>', eos_token: { content: '</s>', lstrip: false }, pad_token: '<pad>' };

  // transformers 5.23 opens each of these folders with the same tokens.
  test.each([
    ['the map alone', {}, named, [1, 2]],
    ['the map before the configuration', { eos_token: '<pad>' }, named, [1, 2]],
    ['the map where the configuration says none', { eos_token: null }, named, [1, 2]],
    [
      'the configuration that lists its added tokens',
      { added_tokens_decoder: {}, bos_token: '<s>', eos_token: '<unk>' },
      named,
      [1, 0],
    ],
    ['the configuration alone', { bos_token: '<s>', eos_token: '</s>' }, undefined, [1, 2]],
  ])('are read from %s', (_, config, map, [bos, eos]) => {
    const tokenizer = createTokenizer(files(config, map));
    expect([tokenizer.bos, tokenizer.eos]).toEqual([bos, eos]);
    expect(tokenizer.prefix).toEqual([bos]);
  });

  test('further ones of the map are special', () => {
    const tokenizer = createTokenizer(files({ bos_token: '<s>' }, { additional_special_tokens: ['▁red'] }));
    expect(tokenizer.specials.get('▁red')).toBe(tokenizer.idOf('▁red'));
  });

  test.each([[{}], [{ bos_token: null }]])('add_bos_token without such a token is a fault', (config) => {
    expect(() => createTokenizer(files({ ...config, add_bos_token: true }))).toThrow(
      expect.objectContaining({ code: 'tokenize/no-beginning' }),
    );
    expect(createTokenizer(files({ ...config, add_bos_token: false })).prefix).toEqual([]);
  });
});

describe('refusals', () => {
  const tokenizer = tokenizers.get('tiny') as Tokenizer;
  const edited = (edit: (json: Record<string, unknown> & { model: Record<string, unknown> }) => void) => {
    const files = new Map(tokenizer.files);
    const json = JSON.parse(files.get('tokenizer.json') as string);
    edit(json);
    files.set('tokenizer.json', JSON.stringify(json));
    return () => createTokenizer(files);
  };

  test('ids outside the vocabulary', () => {
    expect(() => tokenizer.decode([9999])).toThrow(expect.objectContaining({ code: 'tokenize/id', got: '9999' }));
    expect(() => tokenizer.tokenOf(-1)).toThrow(expect.objectContaining({ code: 'tokenize/id' }));
  });

  test('half a surrogate pair', () => {
    expect(() => tokenizer.encode('a \uD83D b')).toThrow(expect.objectContaining({ code: 'tokenize/surrogate' }));
  });

  test('characters the vocabulary cannot spell', () => {
    const noBytes = edited((json) => {
      json.model.byte_fallback = false;
    })();
    expect(() => noBytes.encode('zebra 中')).toThrow(expect.objectContaining({ code: 'tokenize/alignment' }));
  });

  test('text that the tokenizer rewrites', () => {
    const lower = edited((json) => {
      json.normalizer = { type: 'Lowercase' };
    })();
    expect(() => lower.encode('Red')).toThrow(expect.objectContaining({ code: 'tokenize/alignment' }));
  });

  test('vocabularies with word suffixes, broken files, absent folders', async () => {
    expect(
      edited((json) => {
        json.model.end_of_word_suffix = '</w>';
      }),
    ).toThrow(expect.objectContaining({ code: 'tokenize/unsupported' }));
    expect(() => createTokenizer(new Map([['tokenizer.json', '{']]))).toThrow(
      expect.objectContaining({ code: 'tokenize/json', path: 'tokenizer.json:1:2' }),
    );
    await expect(loadTokenizer('/nowhere')).rejects.toThrow(expect.objectContaining({ code: 'tokenize/file' }));
  });
});

describe('hostile vocabularies', () => {
  const source = (name: string) => readFileSync(`${fixtures}tiny/${name}`, 'utf8');
  const tiny = JSON.parse(source('tokenizer.json'));
  const config = source('tokenizer_config.json');
  const open = (edit: object) =>
    createTokenizer(
      new Map([
        ['tokenizer.json', JSON.stringify({ ...tiny, ...edit })],
        ['tokenizer_config.json', config],
      ]),
    );
  const model = (edit: object) => ({ model: { ...tiny.model, ...edit } });
  const nested = (depth: number): object => (depth > 0 ? { type: 'Sequence', normalizers: [nested(depth - 1)] } : {});
  const growing = { type: 'Replace', pattern: { String: 'a' }, content: 'aa' };

  test.each([
    ['an id that asks for a huge table', model({ vocab: { ...tiny.model.vocab, zz: 4e9 } }), 'tokenize/vocabulary'],
    ['two pieces with one id', model({ vocab: { ...tiny.model.vocab, zz: 5 } }), 'tokenize/vocabulary'],
    ['a negative id', model({ vocab: { a: -1 } }), 'tokenize/layout'],
    ['merges of nothing', model({ merges: [['not', 'there']] }), 'tokenize/vocabulary'],
    ['merges of numbers', model({ merges: [1] }), 'tokenize/layout'],
    ['an unknown model', model({ type: 'Trie' }), 'tokenize/layout'],
    ['no model', { model: [] }, 'tokenize/layout'],
    ['endless nesting', { normalizer: nested(200) }, 'tokenize/json'],
    ['doubling', { normalizer: { type: 'Sequence', normalizers: Array(30).fill(growing) } }, 'tokenize/unsupported'],
  ])('%s', (_, edit, code) => {
    expect(() => open(edit)).toThrow(expect.objectContaining({ code }));
  });

  test('a pattern that never ends is stopped', () => {
    const pattern = { Regex: '(▁|a|aa)+$' };
    const rule = { type: 'Split', pattern, behavior: 'Isolated', invert: false };
    const tokenizer = open({ pre_tokenizer: rule });
    expect(() => tokenizer.encode(`${'a'.repeat(60)}!`)).toThrow(expect.objectContaining({ code: 'tokenize/time' }));
  });
});
