import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createTokenizer } from './tokenizer.ts';
import { trainBpe } from './train-bpe.ts';

const fixtures = new URL('../../../test/fixtures/tokenize/', import.meta.url).pathname;
const corpus = readFileSync(`${fixtures}corpus.txt`, 'utf8').trimEnd().split('\n');

const added = ['<image>', '<pad>'];

describe('trainBpe', () => {
  test('writes the committed files, byte for byte', async () => {
    const files = trainBpe(corpus, { vocabSize: 480, added });
    for (const [name, text] of files) await expect(text).toMatchFileSnapshot(`${fixtures}tiny/${name}`);
  });

  test('does not depend on the order of the corpus', () => {
    const backwards = trainBpe([...corpus].reverse(), { vocabSize: 480, added });
    expect(backwards).toEqual(trainBpe(corpus, { vocabSize: 480, added }));
  });

  test('makes one token of each frequent word', () => {
    const tokenizer = createTokenizer(trainBpe(corpus, { vocabSize: 480, added }));
    for (const word of ['red', 'cube', 'left', 'There', 'ASSISTANT']) {
      expect(tokenizer.encode(word).ids, word).toHaveLength(1);
    }
  });

  test('numbers the special tokens as LLaMA does, added ones last', () => {
    const tokenizer = createTokenizer(trainBpe(corpus, { vocabSize: 480, added }));
    expect([tokenizer.unk, tokenizer.bos, tokenizer.eos]).toEqual([0, 1, 2]);
    expect(tokenizer.idOf('<image>')).toBe(tokenizer.vocabSize - 2);
    expect(tokenizer.pad).toBe(tokenizer.vocabSize - 1);
    expect(tokenizer.prefix).toEqual([1]);
  });

  test('keeps to the size it is given and stops when nothing is left to merge', () => {
    expect(createTokenizer(trainBpe(corpus, { vocabSize: 350, added })).vocabSize).toBe(350);
    expect(createTokenizer(trainBpe(['a b'], { vocabSize: 4000, added })).vocabSize).toBeLessThan(300);
    expect(() => trainBpe(corpus, { vocabSize: 100, added })).toThrow('too small');
  });
});
