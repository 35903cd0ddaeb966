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
      /** "the ball" */
      readonly definite: boolean;
      /** Characters of the sentence that the phrase takes. */
      readonly start: number;
      readonly end: number;
    }
  | { readonly kind: 'table'; readonly background?: Background }
  | { readonly kind: 'adjective'; readonly is: Description }
  | { readonly kind: 'word'; readonly word: string };

const determiners = new Set(['a', 'an', 'the', 'this', 'that', 'these', 'those', 'some', 'any', 'another', 'no']);
const definites = new Set(['the', 'this', 'that', 'these', 'those']);
const tableNouns = new Set(['table', 'surface', 'background', 'tabletop']);

/** A word and the characters that it takes. */
interface Token {
  readonly word: string;
  readonly start: number;
  readonly end: number;
}

/** Lower-case words and numbers of a sentence, with "n't" as "not". */
function words(sentence: string): Token[] {
  const found = sentence.toLowerCase().matchAll(/[a-z]*?n['’]t\b|[a-z]+|\d+/g);
  return [...found].flatMap(({ 0: text, index: start }) => {
    const end = start + text.length;
    const [, stem] = /^([a-z]*)n['’]t$/.exec(text) ?? (text === 'cannot' ? ['', 'can'] : []);
    if (stem === undefined) return [{ word: text, start, end }];
    return [stem, 'not'].filter((word) => word !== '').map((word) => ({ word, start, end }));
  });
}

/** Gathers noun phrases, `[determiner] [number] adjective* noun`, and leaves the other words as they are. */
export function items(sentence: string): Item[] {
  const tokens = words(sentence);
  const out: Item[] = [];
  for (let i = 0; i < tokens.length; ) {
    const phrase = nounPhrase(tokens, i);
    out.push(phrase?.item ?? single(tokens[i] as Token));
    i = phrase?.end ?? i + 1;
  }
  return out;
}

function single({ word, start, end }: Token): Item {
  if (word === 'it' || word === 'they') {
    return { kind: 'noun', of: {}, none: false, pronoun: true, indefinite: false, definite: false, start, end };
  }
  const adjective = adjectives.get(word);
  return adjective ? { kind: 'adjective', is: asDescription(adjective) } : { kind: 'word', word };
}

function nounPhrase(tokens: readonly Token[], first: number): { item: Item; end: number } | undefined {
  let i = first;
  const wordAt = (at: number) => tokens[at]?.word ?? '';
  const determiner = determiners.has(wordAt(i)) ? wordAt(i++) : undefined;
  const number = numberOf(wordAt(i));
  if (number !== undefined) i++;
  let of: Description = {};
  let background: Background | undefined;
  for (let adjective = adjectives.get(wordAt(i)); adjective; adjective = adjectives.get(wordAt(++i))) {
    if ('background' in adjective) background = adjective.background;
    of = { ...of, ...asDescription(adjective) };
  }
  const head = wordAt(i);
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
    definite: definites.has(determiner ?? ''),
    start: (tokens[first] as Token).start,
    end: (tokens[i] as Token).end,
  };
  return { item, end: i + 1 };
}

function numberOf(word: string): number | undefined {
  if (/^\d+$/.test(word)) return Number(word);
  const at = numberWords.indexOf(word);
  return at < 0 ? undefined : at;
}

/** An object's attribute; a table's is a colour that no object has. */
function asDescription(adjective: Description | { background: Background }): Description {
  return 'background' in adjective ? { color: adjective.background } : adjective;
}
