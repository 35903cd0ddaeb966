import { TesseraError } from '../../base/index.ts';
import type { TokenizerFiles } from './files.ts';
import { byteToken, METASPACE } from './surface.ts';

export interface BpeOptions {
  /** Largest size of the vocabulary, added tokens included; smaller when the corpus has nothing left to merge. */
  readonly vocabSize: number;
  /** A pair of pieces seen less often is not merged. */
  readonly minCount?: number;
  /** Special tokens after the vocabulary proper, such as the one that stands for an image. */
  readonly added: readonly string[];
}

const CORE = ['<unk>', '<s>', '</s>'];
const WORD = new RegExp(`${METASPACE}?\\p{L}+|${METASPACE}?[^\\p{C}\\p{Zl}\\p{Zp}${METASPACE}]|${METASPACE}`, 'gu');

/**
 * Trains a byte-pair vocabulary of LLaMA's kind: spaces as `▁`, one in front of every text, bytes for what has no
 * piece, `<unk>` 0, `<s>` 1, `</s>` 2, the 256 bytes, characters by code point, then merges by frequency. Merges stay
 * inside words (letters with the space before them); digits and signs stay single; control characters are bytes.
 * Equal counts are settled by the pieces' text, so the same corpus gives the same files anywhere.
 *
 * @returns `tokenizer.json` and `tokenizer_config.json`, as Hugging Face's LlamaTokenizer writes them
 */
export function trainBpe(corpus: Iterable<string>, options: BpeOptions): TokenizerFiles {
  const { vocabSize, minCount = 2, added } = options;
  const words = countWords(corpus);
  const alphabet = [...new Set([METASPACE, ...words.flatMap((word) => word.pieces)])].sort(byText);
  const pieces = [...CORE, ...Array.from({ length: 256 }, (_, byte) => byteToken(byte)), ...alphabet];
  const room = vocabSize - pieces.length - added.length;
  if (room < 0) {
    throw new TesseraError({
      code: 'tokenize/vocabulary-size',
      message: 'the vocabulary is too small for the bytes and the characters of the corpus',
      expected: `at least ${vocabSize - room}`,
      got: `${vocabSize}`,
      remedy: 'raise the vocabulary size, or train on a corpus with fewer different characters',
    });
  }
  const known = new Set(pieces);
  const merges: [string, string][] = [];
  while (known.size < pieces.length + room) {
    const pair = mostFrequentPair(words, minCount);
    if (!pair) break;
    merges.push(pair);
    known.add(pair[0] + pair[1]);
    for (const word of words) word.pieces = mergePair(word.pieces, pair);
  }
  return writeFiles([...known], merges, added);
}

interface Word {
  pieces: string[];
  readonly count: number;
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function countWords(corpus: Iterable<string>): Word[] {
  const counts = new Map<string, number>();
  for (const text of corpus) {
    const spelled = text.replaceAll(' ', METASPACE);
    const prefixed = spelled.startsWith(METASPACE) ? spelled : METASPACE + spelled;
    for (const [word] of prefixed.matchAll(WORD)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => byText(a, b)).map(([word, count]) => ({ pieces: [...word], count }));
}

function mostFrequentPair(words: readonly Word[], minCount: number): [string, string] | undefined {
  const counts = new Map<string, number>();
  for (const { pieces, count } of words) {
    for (let i = 1; i < pieces.length; i++) {
      const pair = `${pieces[i - 1]} ${pieces[i]}`;
      counts.set(pair, (counts.get(pair) ?? 0) + count);
    }
  }
  let best: string | undefined;
  let most = Math.max(1, minCount);
  for (const [pair, count] of counts) {
    if (count < most || (count === most && best !== undefined && best < pair)) continue;
    best = pair;
    most = count;
  }
  return best?.split(' ') as [string, string] | undefined;
}

function mergePair(pieces: string[], [left, right]: readonly [string, string]): string[] {
  const merged: string[] = [];
  for (let i = 0; i < pieces.length; i++) {
    const joins = pieces[i] === left && pieces[i + 1] === right;
    merged.push(joins ? left + right : (pieces[i] as string));
    if (joins) i++;
  }
  return pieces.length === merged.length ? pieces : merged;
}

interface Special {
  readonly id: number;
  readonly content: string;
}

const special = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };

function writeFiles(
  pieces: readonly string[],
  merges: readonly [string, string][],
  added: readonly string[],
): TokenizerFiles {
  const specials = [
    ...CORE.map((content, id) => ({ id, content })),
    ...added.map((content, i) => ({ id: pieces.length + i, content })),
  ];
  const padding = added.includes('<pad>') ? '<pad>' : '<unk>';
  return new Map([
    ['tokenizer.json', `${JSON.stringify(tokenizerJson(pieces, merges, specials), null, 2)}\n`],
    ['tokenizer_config.json', `${JSON.stringify(configJson(specials, padding), null, 2)}\n`],
  ]);
}

function tokenizerJson(pieces: readonly string[], merges: readonly [string, string][], specials: readonly Special[]) {
  const bos = { SpecialToken: { id: '<s>', type_id: 0 } };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specials.map(({ id, content }) => ({ id, content, ...special })),
    normalizer: null,
    pre_tokenizer: { type: 'Metaspace', replacement: METASPACE, prepend_scheme: 'always', split: false },
    post_processor: {
      type: 'TemplateProcessing',
      single: [bos, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [bos, { Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: METASPACE }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: '<unk>',
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
      merges,
    },
  };
}

function configJson(specials: readonly Special[], padding: string) {
  return {
    add_bos_token: true,
    add_eos_token: false,
    added_tokens_decoder: Object.fromEntries(specials.map(({ id, content }) => [id, { content, ...special }])),
    bos_token: '<s>',
    clean_up_tokenization_spaces: false,
    eos_token: '</s>',
    // Older loaders take this as "a ▁ in front of every stretch of text", which is what prepend_scheme says above.
    legacy: true,
    pad_token: padding,
    padding_side: 'right',
    tokenizer_class: 'LlamaTokenizer',
    unk_token: '<unk>',
  };
}
