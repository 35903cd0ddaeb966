import type { Naming, Phrase } from './naming.ts';
import { share } from './tally.ts';

/** What one caption, or many together, say of what is and is not in the image. */
export type ChairCounts = {
  readonly captions: number;
  /** Captions that mention at least one object that is not there. */
  readonly hallucinating: number;
  /** Captions that mention any object, where kinds are counted. */
  readonly mentioning?: number;
  /** Object mentions, repeats counted. */
  readonly mentions: number;
  readonly invented: number;
  /** Distinct objects mentioned in each caption, where kinds are counted. */
  readonly distinct?: number;
  readonly distinctInvented?: number;
  /** Captions that name every object once and rightly, where objects are counted one by one. */
  readonly complete?: number;
  /** Distinct objects in each image, and those of them that its caption mentions. */
  readonly present: number;
  readonly covered: number;
  readonly words: number;
};

type ChairScores = {
  /** Share of captions with a hallucinated object. */
  readonly s: number;
  /** The same of the captions that mention any object: the response rate of Object HalBench. */
  readonly response?: number;
  /** Share of object mentions that are hallucinated, over the whole corpus, repeats counted. */
  readonly i: number;
  /** The same over distinct objects of each caption: the mention rate of Object HalBench. */
  readonly iDistinct?: number;
  /** Share of the objects present that are mentioned. An empty caption hallucinates nothing; this is what it pays. */
  readonly recall: number;
  /** Share of captions that name every object once and rightly. */
  readonly complete?: number;
  /** Mean number of words. */
  readonly length: number;
};

/** Counts of one caption: the objects it mentions in order, the objects truly there, and its length in words. */
export function chairCounts(mentioned: readonly string[], present: Iterable<string>, words: number): ChairCounts {
  const truth = new Set(present);
  const kinds = new Set(mentioned);
  const invented = mentioned.filter((object) => !truth.has(object));
  return {
    captions: 1,
    hallucinating: Number(invented.length > 0),
    mentioning: Number(mentioned.length > 0),
    mentions: mentioned.length,
    invented: invented.length,
    distinct: kinds.size,
    distinctInvented: new Set(invented).size,
    present: truth.size,
    covered: [...kinds].filter((object) => truth.has(object)).length,
    words,
  };
}

/**
 * Counts of one caption, thing by thing: what it names more often than it is there counts as not there.
 * @param present objects in the image
 */
export function strictCounts<P extends Phrase>(
  { named, amiss, covered }: Naming<P>,
  present: number,
  words: number,
): ChairCounts {
  return {
    captions: 1,
    hallucinating: Number(amiss.length > 0),
    mentions: named,
    invented: amiss.length,
    complete: Number(amiss.length === 0 && covered === present),
    present,
    covered,
    words,
  };
}

/** CHAIR (Rohrbach et al. 2018) of summed counts; NaN where undefined, such as CHAIRi without a single mention. */
export function chairScores(counts: ChairCounts): ChairScores {
  return {
    s: share(counts.hallucinating, counts.captions),
    ...(counts.mentioning !== undefined && { response: share(counts.hallucinating, counts.mentioning) }),
    i: share(counts.invented, counts.mentions),
    ...(counts.distinct !== undefined && { iDistinct: share(counts.distinctInvented ?? 0, counts.distinct) }),
    recall: share(counts.covered, counts.present),
    ...(counts.complete !== undefined && { complete: share(counts.complete, counts.captions) }),
    length: share(counts.words, counts.captions),
  };
}

/** Words of a text, as counted for the mean length. */
export function wordCount(text: string): number {
  return text.split(/\s+/u).filter(Boolean).length;
}
