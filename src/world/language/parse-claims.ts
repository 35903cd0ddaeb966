import type { Description, Place, Relation } from '../predicates.ts';
import type { Claim } from './claim.ts';
import type { Item } from './noun-phrases.ts';
import { items } from './noun-phrases.ts';

/** A phrase that says that things are there. */
export interface Mention {
  readonly of: Description;
  /** How many. */
  readonly number: number;
  /** "The ball" may speak of a thing that was named before. */
  readonly definite: boolean;
  /** The characters of the text that it takes. */
  readonly start: number;
  readonly end: number;
}

interface ParsedSentence {
  readonly text: string;
  /** The characters of the whole text that it takes. */
  readonly start: number;
  readonly end: number;
  readonly claims: readonly Claim[];
}

/** What a text says of its picture. */
export interface ParsedText {
  readonly sentences: readonly ParsedSentence[];
  readonly claims: readonly Claim[];
  /** Every affirmed mention of a thing with a shape, repeats included: what CHAIR counts. */
  readonly mentions: readonly Mention[];
  /** Share of sentences without a claim; above 0.05 a metric made of claims is unreliable. */
  readonly unparsed: number;
}

type Noun = Extract<Item, { kind: 'noun' }>;

const verbs = '(?:(?:that |which )?(?:is|are|was|were|be|lies|sits|stands|rests) )?';
const filler = '(?:located |placed |lying |directly |just )?';
const relationPattern = new RegExp(
  `^${verbs}(not )?${filler}(?:(?:to|on|at) )?(?:the )?(left of|right of|above|over|below|under|beneath|bigger than|larger than|smaller than)$`,
);
const placePattern = new RegExp(
  `^${verbs}(not )?${filler}(?:on|at|in|to|near|toward) the (left|right|top|bottom|middle|center|centre)\\b`,
);
const placeFirstPattern =
  /^(?:on|at|in) the (left|right|top|bottom|middle|center|centre)(?: side)?(?: of (?:the )?(?:image|picture|table))?(?: there)?(?: is| are| lies| sits| stands)?$/;
const isPattern = /^(?:is|are) (not )?$/;

const relationNames: Readonly<Record<string, Relation>> = {
  'left of': 'left of',
  'right of': 'right of',
  above: 'above',
  over: 'above',
  below: 'below',
  under: 'below',
  beneath: 'below',
  'bigger than': 'larger than',
  'larger than': 'larger than',
  'smaller than': 'smaller than',
};

/**
 * Reads the claims off free text with a small grammar: noun phrases claim existence, attributes and counts; "NP is
 * left of NP" and its like claim relations; "no ball", "not" and "without" negate. Pronouns stand for the last noun
 * phrase.
 * @example parseClaims('There are two red balls left of a cube.').claims
 */
export function parseClaims(text: string): ParsedText {
  const parts = [...text.matchAll(/[^.!?;\n]+/g)].filter(([part]) => /[a-z0-9]/i.test(part));
  const mentions: Mention[] = [];
  let last: Description | undefined;
  const sentences = parts.map(({ 0: part, index }) => {
    const found = new Sentence(items(part), last);
    mentions.push(...found.mentions.map((of) => ({ ...of, start: index + of.start, end: index + of.end })));
    last = found.last;
    const said = part.trim();
    const start = index + part.indexOf(said);
    return { text: said, start, end: start + said.length, claims: found.claims };
  });
  const silent = sentences.filter((sentence) => sentence.claims.length === 0).length;
  return {
    sentences,
    claims: sentences.flatMap((sentence) => sentence.claims),
    mentions,
    unparsed: sentences.length === 0 ? 0 : silent / sentences.length,
  };
}

/** One pass over a sentence; it holds what the last noun phrase was. */
class Sentence {
  readonly claims: Claim[] = [];
  readonly mentions: Mention[] = [];
  last: Description | undefined;
  /** The items between the last noun phrase, or the start, and here. */
  #between: Item[] = [];
  #previous: { noun: Noun; of: Description; negated: boolean } | undefined;

  constructor(all: readonly Item[], last: Description | undefined) {
    this.last = last;
    for (const item of all) {
      if (item.kind === 'noun') this.#noun(item);
      else {
        if (item.kind === 'table') this.#table(item);
        this.#between.push(item);
      }
    }
    this.#afterNoun();
  }

  #noun(noun: Noun): void {
    const of = noun.pronoun ? this.last : noun.of;
    const joined = of && this.#joined(of, noun);
    if (!joined) this.#afterNoun();
    const negated = noun.none || (joined ? joined === 'denied' : this.#negated());
    if (!noun.pronoun && joined !== 'denied') this.#mention(noun, negated);
    if (of && !joined && !this.#previous) this.#placedBefore(of);
    this.#between = [];
    this.#previous = of && { noun, of, negated: noun.none || (!joined && negated) };
    this.last = of;
  }

  #mention(noun: Noun, negated: boolean): void {
    const { of, number, definite, start, end } = noun;
    if (number !== undefined) this.claims.push({ kind: 'count', of, number, negated });
    else this.claims.push({ kind: 'exists', of, negated });
    if (!negated && number !== 0 && of.shape) this.mentions.push({ of, number: number ?? 1, definite, start, end });
  }

  /** "NP is left of NP" and "NP is a NP". A denied "is a" says nothing of the second phrase's existence. */
  #joined(to: Description, noun: Noun): 'yes' | 'denied' | undefined {
    if (!this.#previous) return undefined;
    const { of } = this.#previous;
    const between = this.#text();
    const relation = relationPattern.exec(between);
    if (relation) {
      const name = relationNames[relation[2] as string] as Relation;
      this.claims.push({ kind: 'relation', of, relation: name, to, negated: relation[1] !== undefined });
      return 'yes';
    }
    const is = isPattern.exec(`${between} `);
    if (!is || !noun.indefinite) return undefined;
    this.claims.push({ kind: 'attribute', of, is: to, negated: is[1] !== undefined });
    return is[1] === undefined ? 'yes' : 'denied';
  }

  /** "NP is on the left" and "NP is red". */
  #afterNoun(): void {
    if (!this.#previous) return;
    const { of, negated } = this.#previous;
    const between = this.#text();
    const placed = placePattern.exec(between);
    if (placed && !negated) {
      const place = placeName(placed[2] as string);
      this.claims.push({ kind: 'place', of, place, negated: placed[1] !== undefined });
    }
    const is = /^(?:is|are) (not )?(?=\*)/.exec(between);
    if (is) this.claims.push({ kind: 'attribute', of, is: this.#adjectives(), negated: is[1] !== undefined });
  }

  #adjectives(): Description {
    let is: Description = {};
    const start = this.#between.findIndex((item) => item.kind === 'adjective');
    for (const item of this.#between.slice(start)) {
      if (item.kind === 'adjective') is = { ...is, ...item.is };
      else if (item.kind !== 'word' || item.word !== 'and') break;
    }
    return is;
  }

  /** "On the left there is NP". */
  #placedBefore(of: Description): void {
    const placed = placeFirstPattern.exec(this.#text());
    if (placed) this.claims.push({ kind: 'place', of, place: placeName(placed[1] as string), negated: false });
  }

  #table(item: Extract<Item, { kind: 'table' }>): void {
    const { background } = item;
    if (background) this.claims.push({ kind: 'background', background, negated: this.#has('not') });
  }

  /** "not ... NP", "without NP", and "no NP or NP". */
  #negated(): boolean {
    if (this.#previous?.negated && this.#between.length === 1 && (this.#has('or') || this.#has('nor'))) return true;
    return this.#has('not') || this.#has('without');
  }

  #has(word: string): boolean {
    return this.#between.some((item) => item.kind === 'word' && item.word === word);
  }

  /** The words since the last noun phrase; an adjective is `*`. */
  #text(): string {
    const text = this.#between.map((item) =>
      item.kind === 'word' ? item.word : item.kind === 'table' ? 'table' : '*',
    );
    return text.join(' ');
  }
}

function placeName(word: string): Place {
  return word === 'center' || word === 'centre' ? 'middle' : (word as Place);
}
