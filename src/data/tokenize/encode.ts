import { asTesseraError, TesseraError } from '../../base/index.ts';
import { type AddedToken, cutAdded, type Sought } from './added.ts';
import type { Layout } from './layout.ts';
import { idsOf, type LibraryTokenizer } from './library.ts';
import { type Piece, trimAround } from './split.ts';
import {
  alignTokens,
  characters,
  type Script,
  type SpelledToken,
  type Surface,
  spelledBytes,
  spellsWords,
} from './surface.ts';
import { withinTime } from './within-time.ts';
import { wordCutter } from './words.ts';

/** Ids with the half-open range of UTF-16 offsets each token takes in the text. */
export interface Encoding {
  readonly ids: number[];
  readonly spans: (readonly [start: number, end: number])[];
}

/** Turns pieces into tokens with the ranges they take. */
export function pieceEncoder(
  library: LibraryTokenizer,
  layout: Layout,
  surface: Surface,
  specials: ReadonlyMap<string, number>,
): (pieces: readonly Piece[]) => Encoding {
  const normalize = normalizerOf(library, layout);
  const words = spellsWords(layout.spelling);
  const rules: Rules = {
    library,
    layout,
    surface,
    normalize,
    script: words ? { ...layout, fold: (character) => normalize(character).replace(/\s/gu, '') } : layout,
    cut: wordCutter(layout),
    idOf: idsOf(library, layout),
    specialIds: new Set(specials.values()),
  };
  return (pieces) => {
    const out: Encoding = { ids: [], spans: [] };
    let offset = 0;
    for (const run of cutRuns(pieces, layout)) {
      const part = run.special
        ? { ids: [specials.get(run.text) ?? unknownToken(run.text)], spans: [[0, run.text.length] as const] }
        : encodeRun(rules, run, offset === 0);
      out.ids.push(...part.ids);
      for (const [start, end] of part.spans) out.spans.push([start + offset, end + offset]);
      offset += run.text.length + run.trimmed;
    }
    return out;
  };
}

/** What text is encoded by. */
interface Rules {
  readonly library: LibraryTokenizer;
  readonly layout: Layout;
  readonly surface: Surface;
  readonly script: Script;
  readonly normalize: (text: string) => string;
  readonly cut: (text: string) => string[];
  readonly idOf: (token: string) => number | undefined;
  readonly specialIds: ReadonlySet<number>;
}

type Range = readonly [start: number, end: number];

interface Run extends Piece {
  /** Where special tokens of a template stand in its text that are looked for in normalized text. */
  readonly marks: readonly Range[];
  /** Characters after the run's own that a neighbouring special token swallowed. */
  readonly trimmed: number;
}

/**
 * Joins neighbouring text pieces, so that tokens may cross the border between, say, a template and an answer. Special
 * tokens that are looked for in normalized text are not cut out before it is normalized.
 */
function cutRuns(pieces: readonly Piece[], layout: Layout): Run[] {
  const marked = new Set(layout.sought.marked.map(({ content }) => content));
  const joined: Omit<Run, 'trimmed'>[] = [];
  for (const { text, special } of pieces) {
    const within = special && marked.has(text);
    const last = joined.at(-1);
    const open = last && !last.special && (!special || within) ? last : undefined;
    const at = open?.text.length ?? 0;
    const marks = [...(open?.marks ?? []), ...(within ? [[at, at + text.length] as const] : [])];
    if (open) joined[joined.length - 1] = { text: open.text + text, special: false, marks };
    else if (text !== '') joined.push({ text, special: special && !within, marks });
  }
  return trimAround(joined, layout.added).map((run) => ({ ...run, marks: shifted(run.marks, -run.skipped) }));
}

const shifted = (ranges: readonly Range[], by: number) => ranges.map(([start, end]): Range => [start + by, end + by]);

/**
 * Tokens of text, with the special tokens at its marks. Added tokens that are looked for in the text itself come first; the rest is
 * normalized, and cut at those that are looked for in normalized text; the model tokenises what is left.
 */
function encodeRun(rules: Rules, { text, marks }: Run, first: boolean): Encoding {
  const out: Encoding = { ids: [], spans: [] };
  const take = (token: string, [start, end]: Range, offset: number, added = false) => {
    const id = rules.idOf(token) ?? unknownToken(token);
    if (rules.specialIds.has(id) && !added) specialInText(token, text);
    out.ids.push(id);
    out.spans.push([start + offset, end + offset]);
  };
  let offset = 0;
  for (const part of cutAdded(text, rules.layout.sought.text)) {
    if (part.token) take(part.token.content, [0, part.text.length], offset);
    else {
      const within = shifted(marks, -offset).filter(([start, end]) => start >= 0 && end <= part.text.length);
      const sections = modelTokens(rules, part.text, first && offset === 0, within);
      const spans = alignTokens(sections, part.text, rules.script);
      for (const [i, { token, added }] of sections.flat().entries()) take(token, spans[i] as Range, offset, added);
    }
    offset += part.text.length;
  }
  return out;
}

/** Longest time that a text may take under patterns whose time is not known, in milliseconds. */
const longestEncoding = 5000;

/** Tokens of a text without added tokens of its own, in sections that the model sees apart. */
function modelTokens(rules: Rules, text: string, first: boolean, marks: readonly Range[]): SpelledToken[][] {
  const { layout, normalize } = rules;
  if (/\p{Surrogate}/u.test(text)) {
    throw new TesseraError({
      code: 'tokenize/surrogate',
      message: 'the text has half of a surrogate pair, which is no character',
      got: JSON.stringify(text.slice(0, 80)),
    });
  }
  const section = (part: ReturnType<typeof cutAdded>[number], i: number): SpelledToken[] =>
    part.token
      ? [{ token: part.token.content, bytes: spelledBytes(part.text, layout.spelling), added: true }]
      : sectionTokens(rules, part.text, first && i === 0);
  const encode = () => {
    const { normalized: ordinary, marked } = layout.sought;
    const sought = soughtNormalized(normalize, marks.length > 0 ? [...ordinary, ...marked] : ordinary);
    const places = marks.map((range) => range.map((at) => normalize(text.slice(0, at)).length));
    const isMarked = (end: number) => places.some(([from = 0, to = 0]) => end > from && end <= to);
    return cutAdded(normalize(text), sought, ({ content }, end) => !layout.special.has(content) || isMarked(end)).map(
      section,
    );
  };
  try {
    return layout.untimed ? withinTime(longestEncoding, encode) : encode();
  } catch (error) {
    throw asTesseraError(error, {
      code: 'tokenize/failed',
      path: 'tokenizer.json',
      got: JSON.stringify(text.slice(0, 80)),
    });
  }
}

/** Tokens of normalized text between added ones. A word that a vocabulary of word pieces lacks is one token. */
function sectionTokens({ library, layout, surface, cut }: Rules, text: string, first: boolean): SpelledToken[] {
  const words = library.pre_tokenizer
    ? library.pre_tokenizer.pre_tokenize(text, { section_index: first ? 0 : 1 })
    : [text];
  const tokensOf = (parts: string[]): string[] => library.model?.encode(parts) ?? [];
  const spelled = (token: string) => ({ token, bytes: surface(token) });
  if (layout.unknownWord === undefined) return tokensOf(words.flatMap(cut)).map(spelled);
  return words.flatMap((word: string) => {
    const bytes = spelledBytes(word, layout.spelling);
    return tokensOf([word]).map((token) =>
      token === layout.unknownWord ? { token, bytes, added: true as const } : spelled(token),
    );
  });
}

/**
 * A tokenizer's normalizer. Where texts do not come back, each character is normalized by itself, as Hugging Face's
 * tokenizers do, so that it is known what becomes of each.
 */
export function normalizerOf({ normalizer }: LibraryTokenizer, { spelling }: Layout): (text: string) => string {
  if (!normalizer) return (text) => text;
  const whole = (text: string): string => normalizer.normalize(text);
  return spellsWords(spelling) ? (text) => characters(text).map(whole).join('') : whole;
}

/** A token that is looked for in normalized text has its own text normalized, too. */
export function soughtNormalized(normalize: (text: string) => string, tokens: readonly AddedToken[]): Sought[] {
  return tokens.map((token) => ({ token, content: normalize(token.content) }));
}

function specialInText(token: string, text: string): never {
  throw new TesseraError({
    code: 'tokenize/special-in-text',
    message: `the vocabulary turns ordinary text into its special token ${token}`,
    got: JSON.stringify(text.slice(0, 80)),
    remedy: 'the text has a character the vocabulary lacks, or spells the special token out; take it out of the data',
  });
}

export function unknownToken(token: string): never {
  throw new TesseraError({
    code: 'tokenize/token',
    message: 'the vocabulary has no such token',
    path: 'tokenizer.json',
    got: JSON.stringify(token),
  });
}
