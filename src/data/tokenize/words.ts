import type { Layout } from './layout.ts';
import { METASPACE } from './surface.ts';

interface BytePairs {
  readonly type?: string;
  readonly merges?: readonly (string | readonly [string, string])[];
  readonly ignore_merges?: boolean;
  readonly end_of_word_suffix?: string | null;
  readonly continuing_subword_suffix?: string | null;
}

/** A place before a space that follows another character. */
const wordStart = new RegExp(`(?<=[^${METASPACE}])(?=${METASPACE})`, 'u');

/**
 * How a text is cut before byte pairs are merged. Where no pair joins the end of a word to the space before the next, words
 * are merged apart with the same tokens, and those that come again are known; elsewhere the text stays whole.
 */
export function wordCutter({ tokenizer, spelling }: Layout): (text: string) => string[] {
  const model = tokenizer.model as BytePairs;
  const { merges = [], ignore_merges, end_of_word_suffix, continuing_subword_suffix } = model;
  const plain = !ignore_merges && !end_of_word_suffix && !continuing_subword_suffix && model.type !== 'Unigram';
  const apart = plain && spelling === 'metaspace' && merges.length > 0 && !merges.some(joinsWords);
  return apart ? (text) => text.split(wordStart) : (text) => [text];
}

function joinsWords(merge: string | readonly [string, string]): boolean {
  const [left = '', right = ''] = typeof merge === 'string' ? merge.split(' ', 2) : merge;
  return right.startsWith(METASPACE) && !left.endsWith(METASPACE);
}
