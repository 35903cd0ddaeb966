import { share } from './tally.ts';

/** What AMBER knows about words. */
export interface AmberWords {
  /** Objects, and words that may stand for each. */
  readonly association: ReadonlyMap<string, readonly string[]>;
  /** All of these. */
  readonly known: ReadonlySet<string>;
  /** Words that are never held against an answer. */
  readonly safe: ReadonlySet<string>;
}

/** What is in an image, and absent things that are likely to be made up. */
export interface AmberTruth {
  readonly truth: readonly string[];
  readonly hallu: readonly string[];
}

/** An object word of an answer, with its place there. */
export interface AmberNoun {
  readonly word: string;
  readonly start: number;
  readonly end: number;
}

/** What one description, or many together, say. */
export type GenerativeCounts = {
  readonly captions: number;
  /** Descriptions with a noun that is not there. */
  readonly hallucinating: number;
  readonly nouns: number;
  readonly unsafe: number;
  /** Objects there, and those that are mentioned. */
  readonly present: number;
  readonly covered: number;
  /** Likely inventions, those that are mentioned, and how often they are. */
  readonly targets: number;
  readonly hit: number;
  readonly targetNouns: number;
  readonly words: number;
};

/** Outcomes of yes/no questions, *no* being what is looked for. */
export type DiscriminativeCounts = {
  readonly asked: number;
  readonly right: number;
  /** Questions whose answer is no, those answered so, and those rightly. */
  readonly absent: number;
  readonly denied: number;
  readonly rightlyDenied: number;
  readonly unclear: number;
};

/** Plurals that no rule gives. */
const irregular: Readonly<Record<string, string>> = {
  children: 'child',
  men: 'man',
  women: 'woman',
  mice: 'mouse',
  geese: 'goose',
  knives: 'knife',
  leaves: 'leave',
  loaves: 'loaf',
  shelves: 'shelf',
};

/** What AMBER knows, by its words for objects and those that are safe. */
export function amberWords(association: AmberWords['association'], safe: Iterable<string>): AmberWords {
  const known = new Set([...association].flatMap(([word, others]) => [word, ...others]));
  return { association, known, safe: new Set(safe) };
}

/**
 * The words of an answer that AMBER knows as objects, plurals as singulars. AMBER's own code takes the words that a tagger
 * holds for nouns; here every word counts that it knows as an object.
 */
export function amberNouns(answer: string, { known }: AmberWords): AmberNoun[] {
  return [...answer.matchAll(/[A-Za-z]+(?:-[A-Za-z]+)*/g)].flatMap((match) => {
    const [text] = match;
    const word = singularIn(text, known) ?? singularIn(text.toLowerCase(), known);
    return word === undefined ? [] : [{ word, start: match.index, end: match.index + text.length }];
  });
}

function singularIn(word: string, known: ReadonlySet<string>): string | undefined {
  const forms = [word, irregular[word], word.replace(/ies$/, 'y'), word.replace(/s$/, ''), word.replace(/es$/, '')];
  return forms.find((form) => form !== undefined && known.has(form));
}

/**
 * AMBER's counts of one description (Wang et al. 2023), without its last step, in which vectors of words are compared.
 * As in its code, a noun counts for the first object that it may stand for, where words that stand for objects come
 * before the objects themselves; of two objects of one name, the second is never covered.
 * @returns the counts, and the nouns that are not there
 */
export function generativeCounts(
  nouns: readonly AmberNoun[],
  { truth, hallu }: AmberTruth,
  { association, safe }: AmberWords,
  words: number,
): { counts: GenerativeCounts; unsafe: readonly AmberNoun[] } {
  const first = (objects: readonly string[], word: string) => {
    const stands = objects.findIndex((object) => association.get(object)?.includes(word));
    return stands >= 0 ? stands : objects.indexOf(word);
  };
  const [covered, hit] = [new Set<number>(), new Set<number>()];
  const unsafe: AmberNoun[] = [];
  let targetNouns = 0;
  for (const noun of nouns) {
    if (safe.has(noun.word)) continue;
    const there = first(truth, noun.word);
    if (there >= 0) {
      covered.add(there);
      continue;
    }
    unsafe.push(noun);
    const target = first(hallu, noun.word);
    if (target < 0) continue;
    hit.add(target);
    targetNouns++;
  }
  const counts = {
    captions: 1,
    hallucinating: Number(unsafe.length > 0),
    nouns: nouns.length,
    unsafe: unsafe.length,
    present: truth.length,
    covered: covered.size,
    targets: hallu.length,
    hit: hit.size,
    targetNouns,
    words,
  };
  return { counts, unsafe };
}

/** Scores of summed counts; NaN where there is nothing to take a share of. */
export function generativeScores(counts: GenerativeCounts) {
  return {
    chair: share(counts.unsafe, counts.nouns),
    cover: share(counts.covered, counts.present),
    hal: share(counts.hallucinating, counts.captions),
    cog: share(counts.hit, counts.targets),
    cogNouns: share(counts.targetNouns, counts.nouns),
    length: share(counts.words, counts.captions),
  };
}

/** The first word of an answer where it is yes or no, and undefined for all others, which are wrong either way. */
export function firstYesNo(answer: string): 'yes' | 'no' | undefined {
  const [, word] = /^\W*(yes|no)\b/i.exec(answer) ?? [];
  return word?.toLowerCase() as 'yes' | 'no' | undefined;
}

export function discriminativeCounts(answer: 'yes' | 'no' | undefined, truth: 'yes' | 'no'): DiscriminativeCounts {
  return {
    asked: 1,
    right: Number(answer === truth),
    absent: Number(truth === 'no'),
    denied: Number(answer === 'no'),
    rightlyDenied: Number(answer === 'no' && truth === 'no'),
    unclear: Number(answer === undefined),
  };
}

/** Scores of summed counts; NaN where there is nothing to take a share of. */
export function discriminativeScores({ asked, right, absent, denied, rightlyDenied, unclear }: DiscriminativeCounts) {
  return {
    accuracy: share(right, asked),
    precision: share(rightlyDenied, denied),
    recall: share(rightlyDenied, absent),
    f1: share(2 * rightlyDenied, denied + absent),
    unclear: share(unclear, asked),
  };
}
