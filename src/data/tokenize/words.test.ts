import { describe, expect, it } from 'vitest';
import { readTokenizerFiles } from './files.ts';
import { readLayout } from './layout.ts';
import { openLibrary } from './library.ts';
import { wordCutter } from './words.ts';

function layout(merges: readonly (string | readonly string[])[], more: object = {}) {
  const letters = ['<unk>', '▁', 'a', 'b', '▁a', '▁▁', 'ab', 'a▁', 'b▁'];
  const model = { type: 'BPE', vocab: Object.fromEntries(letters.map((letter, id) => [letter, id])), merges, ...more };
  const file = {
    added_tokens: [],
    normalizer: null,
    decoder: null,
    pre_tokenizer: { type: 'Metaspace', replacement: '▁' },
    model,
  };
  return readLayout(
    new Map([
      ['tokenizer.json', JSON.stringify(file)],
      ['tokenizer_config.json', '{}'],
    ]),
  );
}

describe('cutting a text into words', () => {
  it('is done where no pair joins the end of a word to the space before the next', () => {
    const cut = wordCutter(layout(['▁ a', '▁ ▁', 'a b']));
    expect(cut('▁a▁▁b▁ab')).toEqual(['▁a', '▁▁b', '▁ab']);
    expect(cut('ab')).toEqual(['ab']);
  });

  it.each([
    ['a ▁', {}],
    ['b ▁', {}],
    ['▁ a', { ignore_merges: true }],
    ['▁ a', { continuing_subword_suffix: '@@' }],
  ])('is not done with the pair %j and %j', (pair, more) => {
    expect(wordCutter(layout([pair], more))('▁a▁b')).toEqual(['▁a▁b']);
  });

  it('gives the tokens of the whole text', () => {
    const real = readLayout(readTokenizerFiles('assets/backbones/tabletop-lm'));
    const { model } = openLibrary(real);
    const cut = wordCutter(real);
    for (const text of ['Is there a small red ball in the image?', 'two  blue\n cubes, é 漢 ▁ and', '   ', 'x']) {
      const whole = `▁${text.replaceAll(' ', '▁')}`;
      expect(model?.encode(cut(whole))).toEqual(model?.encode([whole]));
    }
    expect(cut('▁Is▁it').length).toBe(2);
  });
});
