import type { Description } from '../predicates.ts';
import { places } from '../predicates.ts';
import type { Scene, SceneObject } from '../scene.ts';
import { adjectives, article, nouns, numberWord, plural } from './lexicon.ts';
import type { Item } from './noun-phrases.ts';
import { items } from './noun-phrases.ts';
import { bare, capital, list, placeWords, surePlaces } from './phrase.ts';

/** Another wording of a sentence, and how many words of it are new or gone. */
export interface Edit {
  readonly text: string;
  readonly words: number;
}

/** A stretch of a sentence, characters `start` up to `end`, and what is to stand there. */
interface Change {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

type Noun = Extract<Item, { kind: 'noun' }>;

const placePhrase = /\b(?:on|at|in) the (?:left|right|top|bottom|middle|center|centre)\b/gi;

/** Words that say the opposite of each other where things lie and how large they are. */
const opposites: readonly (readonly [string, string])[] = [
  ['left', 'right'],
  ['above', 'below'],
  ['larger', 'smaller'],
  ['bigger', 'smaller'],
];

/**
 * Wordings of a sentence that could be true of a scene where it is not, few changes first: a word for another of its
 * kind that something there has, a phrase for one of another object in its place, or a thing left out. Whether one is
 * true is for the caller to find out.
 */
export function sentenceEdits(sentence: string, scene: Scene): Edit[] {
  const said = items(sentence).filter((item): item is Noun => item.kind === 'noun' && !item.pronoun);
  const phrases = said.filter(({ of }) => of.shape !== undefined);
  const changes = [
    ...wordChanges(sentence, valuesOf(scene)).map((change) => [change]),
    ...relationChanges(sentence).map((change) => [change]),
    ...said.flatMap((noun) => numberChanges(sentence, noun, scene)).map((change) => [change]),
    ...phrases.flatMap((noun) => objectChanges(sentence, noun, scene)),
  ];
  const edits = [...changes.map((all) => edited(sentence, all)), ...shorterLists(sentence, phrases)];
  return edits.filter(({ text }) => text !== sentence).sort((a, b) => a.words - b.words);
}

interface Values {
  readonly colors: readonly string[];
  readonly sizes: readonly string[];
  readonly patterns: readonly string[];
  readonly shapes: readonly string[];
  readonly backgrounds: readonly string[];
}

function valuesOf({ objects, background }: Scene): Values {
  const distinct = (key: 'color' | 'size' | 'pattern' | 'shape') => [...new Set(objects.map((object) => object[key]))];
  return {
    colors: distinct('color'),
    sizes: distinct('size'),
    patterns: distinct('pattern'),
    shapes: distinct('shape'),
    backgrounds: [background],
  };
}

/** Every adjective, noun and place for the others of its kind. */
function wordChanges(sentence: string, values: Values): Change[] {
  const single = wordsOf(sentence).flatMap(({ word, start, end }) => {
    const others = othersOf(word.toLowerCase(), values).filter((other) => other !== word.toLowerCase());
    return others.map((text) => ({ start, end, text: isCapital(word) ? capital(text) : text }));
  });
  const placed = [...sentence.matchAll(placePhrase)].flatMap(({ 0: phrase, index: start }) =>
    places
      .map(placeWords)
      .filter((text) => text !== phrase.toLowerCase())
      .map((text) => ({ start, end: start + phrase.length, text: isCapital(phrase) ? capital(text) : text })),
  );
  return [...single, ...placed];
}

/** The values that may stand in the place of a word; none for a word that says nothing of a thing. */
function othersOf(word: string, values: Values): readonly string[] {
  const noun = nouns.get(word);
  if (noun?.shape) return noun.plural ? values.shapes.map(plural) : values.shapes;
  const adjective = adjectives.get(word);
  if (!adjective) return [];
  if ('color' in adjective) return values.colors;
  if ('size' in adjective) return values.sizes;
  if ('pattern' in adjective) return values.patterns;
  return values.backgrounds;
}

function relationChanges(sentence: string): Change[] {
  const places = [...sentence.matchAll(placePhrase)].map(({ 0: phrase, index }) => [index, index + phrase.length]);
  return wordsOf(sentence).flatMap(({ word, start, end }) => {
    if (places.some(([from = 0, to = 0]) => start >= from && end <= to)) return [];
    const pair = opposites.find((both) => both.includes(word));
    return pair ? [{ start, end, text: pair[0] === word ? pair[1] : pair[0] }] : [];
  });
}

/** A phrase that counts, with every other number up to that of the objects. */
function numberChanges(sentence: string, noun: Noun, { objects }: Scene): Change[] {
  if (noun.number === undefined) return [];
  const { start, end } = noun;
  return objects.map((_, i) => {
    const text = numbered(noun.of, i + 1);
    return { start, end, text: isCapital(sentence.slice(start, end)) ? capital(text) : text };
  });
}

function numbered(of: Description, number: number): string {
  return `${numberWord(number)} ${number === 1 ? bare(of) : plural(bare(of))}`;
}

/** A phrase for one of an object, in as much detail; where its sentence says a place, with a place of the object. */
function objectChanges(sentence: string, noun: Noun, scene: Scene): Change[][] {
  const { start, end } = noun;
  const old = sentence.slice(start, end);
  const [place] = sentence.matchAll(placePhrase);
  return scene.objects.flatMap((object) => {
    const words = phraseLike(noun, old, object);
    const renamed = { start, end, text: isCapital(old) ? capital(words) : words };
    if (!place) return [[renamed]];
    const at = { start: place.index, end: place.index + place[0].length };
    const placed = surePlaces(scene, object).map((sure) => [renamed, { ...at, text: placeWords(sure) }]);
    // "There is a ball" needs no place, and "a ball is at the top" does.
    const unplaced = /^\s*there\b/i.test(sentence) ? [[renamed, { ...at, start: at.start - 1, text: '' }]] : [];
    return [[renamed], ...placed, ...unplaced];
  });
}

/** A phrase of one object, with the determiner of an old phrase and what that says of its thing. */
function phraseLike({ of, definite, number }: Noun, old: string, object: SceneObject): string {
  const { shape, color, size, pattern } = object;
  const words = bare({
    shape,
    ...(of.size && { size }),
    ...(of.color && { color }),
    ...(of.pattern && { pattern }),
  });
  const [first = ''] = old.toLowerCase().split(/\s+/);
  const determiner = /^an?$/.test(first) ? article(words) : definite ? first : number === undefined ? '' : 'one';
  return determiner === '' ? words : `${determiner} ${words}`;
}

const joint = /^(?:\s*,\s*(?:and\s+)?|\s+and\s+)$/;

/** "a, b and c" without one of its things. */
function shorterLists(sentence: string, phrases: readonly Noun[]): Edit[] {
  const runs: Noun[][] = [];
  for (const phrase of phrases) {
    const run = runs.at(-1);
    const before = run?.at(-1);
    if (run && before && joint.test(sentence.slice(before.end, phrase.start))) run.push(phrase);
    else runs.push([phrase]);
  }
  return runs
    .filter((run) => run.length > 1)
    .flatMap((run) => {
      const [start, end] = [(run[0] as Noun).start, (run.at(-1) as Noun).end];
      return run.map((gone) => {
        const kept = run.filter((phrase) => phrase !== gone).map((phrase) => sentence.slice(phrase.start, phrase.end));
        const text = `${sentence.slice(0, start)}${list(kept)}${sentence.slice(end)}`;
        return {
          text: isCapital(sentence) ? capital(text) : text,
          words: wordsOf(sentence.slice(gone.start, gone.end)).length,
        };
      });
    });
}

function edited(sentence: string, changes: readonly Change[]): Edit {
  let text = sentence;
  let words = 0;
  for (const change of [...changes].sort((a, b) => b.start - a.start)) {
    const { start, end } = change;
    words += differing(sentence.slice(start, end), change.text);
    text = `${withArticle(text.slice(0, start), change.text)}${change.text}${text.slice(end)}`;
  }
  return { text, words };
}

/** What stands before a new word, ending in the article that the word takes. */
function withArticle(before: string, word: string): string {
  return before.replace(/\b(a)n?(\s+)$/i, (_, a: string, space: string) => `${a}${article(word).slice(1)}${space}`);
}

/** Words that differ between two phrases, by their places from the end, where the noun is. */
function differing(a: string, b: string): number {
  const [x, y] = [a, b].map((text) => text.toLowerCase().split(/\s+/).reverse()) as [string[], string[]];
  return Array.from({ length: Math.max(x.length, y.length) }, (_, i) => Number(x[i] !== y[i])).reduce(
    (n, d) => n + d,
    0,
  );
}

function wordsOf(sentence: string): { word: string; start: number; end: number }[] {
  return [...sentence.matchAll(/[a-z0-9]+/gi)].map(({ 0: word, index }) => ({
    word,
    start: index,
    end: index + word.length,
  }));
}

function isCapital(text: string): boolean {
  return /^[A-Z]/.test(text);
}
