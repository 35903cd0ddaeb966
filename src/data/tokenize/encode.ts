import { asTesseraError, TesseraError } from '../../base/index.ts';
import { cutAdded, type Sought } from './added.ts';
import type { Layout } from './layout.ts';
import { idsOf, type LibraryTokenizer } from './library.ts';
import { type Piece, trimAround } from './split.ts';
import { alignTokens, type SpelledToken, type Surface, spelledBytes } from './surface.ts';
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
  const specialIds = new Set(specials.values());
  const cut = wordCutter(layout);
  const idOf = idsOf(library, layout);
  return (pieces) => {
    const out: Encoding = { ids: [], spans: [] };
    let offset = 0;
    for (const run of cutRuns(pieces, layout)) {
      const part = run.special
        ? { ids: [specials.get(run.text) ?? unknownToken(run.text)], spans: [[0, run.text.length] as const] }
        : encodeRun(library, layout, surface, cut, run.text, offset === 0, { idOf, specialIds });
      out.ids.push(...part.ids);
      for (const [start, end] of part.spans) out.spans.push([start + offset, end + offset]);
      offset += run.text.length + run.trimmed;
    }
    return out;
  };
}

interface Run extends Piece {
  /** Characters after the run's own that a neighbouring special token swallowed. */
  readonly trimmed: number;
}

/** Joins neighbouring text pieces, so that tokens may cross the border between, say, a template and an answer. */
function cutRuns(pieces: readonly Piece[], layout: Layout): Run[] {
  const joined: Piece[] = [];
  for (const piece of pieces) {
    const last = joined.at(-1);
    if (last && !last.special && !piece.special)
      joined[joined.length - 1] = { text: last.text + piece.text, special: false };
    else if (piece.text !== '') joined.push(piece);
  }
  return trimAround(joined, layout.added);
}

interface Ids {
  readonly idOf: (token: string) => number | undefined;
  readonly specialIds: ReadonlySet<number>;
}

/**
 * Tokens of text that holds no special token. Added tokens that are looked for in the text itself come first; the rest is
 * normalized, and cut at those that are looked for in normalized text; the model tokenises what is left.
 */
function encodeRun(
  library: LibraryTokenizer,
  layout: Layout,
  surface: Surface,
  cut: (text: string) => string[],
  text: string,
  first: boolean,
  { idOf, specialIds }: Ids,
): Encoding {
  const out: Encoding = { ids: [], spans: [] };
  const take = (token: string, [start, end]: readonly [number, number], offset: number) => {
    const id = idOf(token) ?? unknownToken(token);
    if (specialIds.has(id)) specialInText(token, text);
    out.ids.push(id);
    out.spans.push([start + offset, end + offset]);
  };
  let offset = 0;
  for (const part of cutAdded(text, layout.sought.text)) {
    if (part.token) take(part.token.content, [0, part.text.length], offset);
    else {
      const sections = modelTokens(library, layout, surface, cut, part.text, first && offset === 0);
      const spans = alignTokens(sections, part.text, layout);
      for (const [i, { token }] of sections.flat().entries())
        take(token, spans[i] as readonly [number, number], offset);
    }
    offset += part.text.length;
  }
  return out;
}

/** Longest time that a text may take under patterns whose time is not known, in milliseconds. */
const longestEncoding = 5000;

/** Tokens of a text without added tokens of its own, in sections that the model sees apart. */
function modelTokens(
  library: LibraryTokenizer,
  layout: Layout,
  surface: Surface,
  cut: (text: string) => string[],
  text: string,
  first: boolean,
): SpelledToken[][] {
  if (/\p{Surrogate}/u.test(text)) {
    throw new TesseraError({
      code: 'tokenize/surrogate',
      message: 'the text has half of a surrogate pair, which is no character',
      got: JSON.stringify(text.slice(0, 80)),
    });
  }
  const section = (part: ReturnType<typeof cutAdded>[number], i: number): SpelledToken[] => {
    if (part.token) return [{ token: part.token.content, bytes: spelledBytes(part.text, layout.spelling) }];
    const words = library.pre_tokenizer
      ? library.pre_tokenizer.pre_tokenize(part.text, { section_index: first && i === 0 ? 0 : 1 })
      : [part.text];
    return (library.model?.encode(words.flatMap(cut)) ?? []).map((token: string) => ({ token, bytes: surface(token) }));
  };
  const encode = () => {
    const normalized = library.normalizer ? library.normalizer.normalize(text) : text;
    return cutAdded(normalized, soughtNormalized(library, layout)).map(section);
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

/** A token that is looked for in normalized text has its own text normalized, too. */
export function soughtNormalized({ normalizer }: LibraryTokenizer, { sought }: Layout): Sought[] {
  return sought.normalized.map((token) => ({
    token,
    content: normalizer ? normalizer.normalize(token.content) : token.content,
  }));
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
