import { type Fault, TesseraError } from '../base/index.ts';
import type { CompareOptions, Match, Pair, Retriever } from './retriever.ts';

/** An image or a text that was found, by its place in the list that was searched. */
export interface Found {
  readonly at: number;
  /** Its rank by contrast, from 1. */
  readonly rank: number;
  /** Cosine of the image's best vector and the text's. */
  readonly similarity: number;
  /** The probability that the two belong together, where a matching head looked at them. */
  readonly match?: number;
}

/** What was found for one query, the best first. */
export interface Ranking {
  readonly contrast: readonly Found[];
  /** The same, in the order that a matching head gives; absent without one. */
  readonly rematched?: readonly Found[];
}

/** Rankings by what was asked with. */
export interface Search {
  /** Images for each text. */
  readonly ofTexts: readonly Ranking[];
  /** Texts for each image; empty for one that could not be read. */
  readonly ofImages: readonly Ranking[];
  readonly unread: ReadonlyMap<number, Fault>;
}

export interface SearchOptions extends CompareOptions {
  /** What to search for each of; both when absent. */
  readonly towards?: 'images' | 'texts';
  /** How many are kept of each query; 10 unless told. */
  readonly keep?: number;
  /**
   * How many of the best by contrast a matching head looks at again, `keep` at least; 128 unless told, as in the published
   * code of BLIP-2. None with 0.
   */
  readonly shortlist?: number;
}

/**
 * Ranks images for texts and texts for images: by contrast, and then, where the model has a matching head, the best of these
 * by the logit of yes and the cosine together, as the published code of BLIP-2 does (Li et al. 2023, section 4.4).
 * @throws TesseraError `retrieve/unreadable` when none of the images can be read; as `Retriever`
 */
export async function search(
  retriever: Retriever,
  images: readonly string[],
  texts: readonly string[],
  { towards, keep = 10, shortlist = 128, ...options }: SearchOptions = {},
): Promise<Search> {
  const { values, unread } = await retriever.similarities(images, texts, options);
  if (unread.size === images.length) throw noneReadable(unread);
  const readable = [...images.keys()].filter((i) => !unread.has(i));
  const rematches = retriever.matches && shortlist > 0;
  const kept = rematches ? Math.max(keep, shortlist) : keep;
  const cosine = (image: number, text: number) => values[image * texts.length + text] as number;
  const forText = (text: number) => best(readable, (image) => cosine(image, text), kept);
  const forImage = (image: number) =>
    unread.has(image) ? [] : best([...texts.keys()], (text) => cosine(image, text), kept);
  const ofTexts = towards === 'texts' ? [] : [...texts.keys()].map(forText);
  const ofImages = towards === 'images' ? [] : [...images.keys()].map(forImage);
  const ranked = rematches
    ? await rematched(retriever, images, texts, { ofTexts, ofImages }, options)
    : { ofTexts: ofTexts.map(byContrast), ofImages: ofImages.map(byContrast) };
  const cut = ({ contrast, rematched: again }: Ranking): Ranking => ({
    contrast: contrast.slice(0, keep),
    ...(again && { rematched: again.slice(0, keep) }),
  });
  return { ofTexts: ranked.ofTexts.map(cut), ofImages: ranked.ofImages.map(cut), unread };
}

const byContrast = (contrast: readonly Found[]): Ranking => ({ contrast });

/** Of like ones the first comes first, so that a search is a function of its lists. */
function best(places: readonly number[], similarityOf: (at: number) => number, count: number): Found[] {
  const all = places.map((at) => ({ at, similarity: similarityOf(at) }));
  const sorted = all.sort((a, b) => b.similarity - a.similarity || a.at - b.at);
  return sorted.slice(0, count).map((one, i) => ({ ...one, rank: i + 1 }));
}

interface Shortlists {
  readonly ofTexts: readonly (readonly Found[])[];
  readonly ofImages: readonly (readonly Found[])[];
}

/** Looks at every pair of the shortlists once, whichever way it was found. */
async function rematched(
  retriever: Retriever,
  images: readonly string[],
  texts: readonly string[],
  { ofTexts, ofImages }: Shortlists,
  options: CompareOptions,
): Promise<{ readonly ofTexts: Ranking[]; readonly ofImages: Ranking[] }> {
  const keyOf = (image: number, text: number) => image * texts.length + text;
  const pairs = new Map<number, Pair>();
  for (const [text, list] of ofTexts.entries()) for (const { at } of list) pairs.set(keyOf(at, text), [at, text]);
  for (const [image, list] of ofImages.entries()) for (const { at } of list) pairs.set(keyOf(image, at), [image, at]);
  const found = await retriever.match(images, texts, [...pairs.values()], options);
  const matches = new Map([...pairs.keys()].map((key, i) => [key, found[i] as Match]));
  const again = (list: readonly Found[], matchOf: (at: number) => Match): Ranking => {
    const seen = list.map((one) => ({ ...one, match: matchOf(one.at).probability }));
    const score = ({ at, similarity }: Found) => matchOf(at).logit + similarity;
    return { contrast: seen, rematched: [...seen].sort((a, b) => score(b) - score(a)) };
  };
  return {
    ofTexts: ofTexts.map((list, text) => again(list, (image) => matches.get(keyOf(image, text)) as Match)),
    ofImages: ofImages.map((list, image) => again(list, (text) => matches.get(keyOf(image, text)) as Match)),
  };
}

function noneReadable(unread: ReadonlyMap<number, Fault>): TesseraError {
  const [first] = unread.values();
  return new TesseraError({
    code: 'retrieve/unreadable',
    message: 'none of the images can be read',
    path: first?.path ?? '',
    expected: 'images',
    got: `${unread.size} files that are none; the first: ${first?.message ?? ''}`,
    remedy: first?.remedy ?? 'name images that can be opened',
  });
}
