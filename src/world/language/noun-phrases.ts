import type { Background } from '../attributes.ts';
import type { Description } from '../predicates.ts';
import { adjectives, nouns, numberWords } from './lexicon.ts';

/** A sentence as the claim grammar sees it. */
export type Item =
  | {
      readonly kind: 'noun';
      readonly of: Description;
      /** "two balls" */
      readonly number?: number;
      /** "no ball" */
      readonly none: boolean;
      /** "it" */
      readonly pronoun: boolean;
      /** "a ball", not "the ball" */
      readonly indefinite: boolean;
    }
  | { readonly kind: 'table'; readonly background?: Background }
  | { readonly kind: 'adjective'; readonly is: Description }
  | { readonly kind: 'word'; readonly word: string };

const determiners = new Set(['a', 'an', 'the', 'this', 'that', 'these', 'those', 'some', 'any', 'another', 'no']);
const tableNouns = new Set(['table', 'surface', 'background', 'tabletop']);

/** Lower-case words and numbers of a sentence, with "n't" as "not". */
function words(sentence: string): string[] {
  const plain = sentence
    .toLowerCase()
    .replace(/n['’]t\b/g, ' not')
    .replace(/\bcannot\b/g, 'can not');
  return plain.match(/[a-z]+|\d+/g) ?? [];
}

/** Gathers noun phrases, `[determiner] [number] adjective* noun`, and leaves the other words as they are. */
export function items(sentence: string): Item[] {
  const tokens = words(sentence);
  const out: Item[] = [];
  for (let i = 0; i < tokens.length; ) {
    const phrase = nounPhrase(tokens, i);
    out.push(phrase?.item ?? single(tokens[i] as string));
    i = phrase?.end ?? i + 1;
  }
  return out;
}

function single(word: string): Item {
  if (word === 'it' || word === 'they') {
    return { kind: 'noun', of: {}, none: false, pronoun: true, indefinite: false };
  }
  const adjective = adjectives.get(word);
  return adjective ? { kind: 'adjective', is: asDescription(adjective) } : { kind: 'word', word };
}

function nounPhrase(tokens: readonly string[], start: number): { item: Item; end: number } | undefined {
  let i = start;
  const determiner = determiners.has(tokens[i] ?? '') ? tokens[i++] : undefined;
  const number = numberOf(tokens[i]);
  if (number !== undefined) i++;
  let of: Description = {};
  let background: Background | undefined;
  for (let adjective = adjectives.get(tokens[i] ?? ''); adjective; adjective = adjectives.get(tokens[++i] ?? '')) {
    if ('background' in adjective) background = adjective.background;
    of = { ...of, ...asDescription(adjective) };
  }
  const head = tokens[i] ?? '';
  if (tableNouns.has(head)) return { item: { kind: 'table', ...(background && { background }) }, end: i + 1 };
  const noun = nouns.get(head);
  if (!noun) return undefined;
  const item: Item = {
    kind: 'noun',
    of: noun.shape ? { ...of, shape: noun.shape } : of,
    ...(number !== undefined && { number }),
    none: determiner === 'no',
    pronoun: false,
    indefinite: determiner === 'a' || determiner === 'an',
  };
  return { item, end: i + 1 };
}

function numberOf(word: string | undefined): number | undefined {
  if (word === undefined) return undefined;
  if (/^\d+$/.test(word)) return Number(word);
  const at = numberWords.indexOf(word);
  return at < 0 ? undefined : at;
}

/** An object's attribute; a table's is a colour that no object has. */
function asDescription(adjective: Description | { background: Background }): Description {
  return 'background' in adjective ? { color: adjective.background } : adjective;
}
