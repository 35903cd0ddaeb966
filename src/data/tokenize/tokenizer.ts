import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { asTesseraError, TesseraError } from '../../base/index.ts';
import { cutAdded, type Sought } from './added.ts';
import { type StreamDecoder, streamDecoder } from './decode.ts';
import { readTokenizerFiles, type TokenizerFiles } from './files.ts';
import { type Layout, readLayout, tokenContent } from './layout.ts';
import { type Piece, splitAt, trimAround } from './split.ts';
import { alignTokens, type SpelledToken, type Surface, spelledBytes, surfaces } from './surface.ts';
import { withinTime } from './within-time.ts';

/** Ids with the half-open range of UTF-16 offsets each token takes in the text. */
export interface Encoding {
  readonly ids: number[];
  readonly spans: (readonly [start: number, end: number])[];
}

/** A vocabulary with its rules. `bos`, `eos`, `pad` and `unk` are ids, absent where the vocabulary has none. */
export interface Tokenizer {
  /** One more than the largest id: the rows an embedding needs. */
  readonly vocabSize: number;
  readonly bos?: number;
  readonly eos?: number;
  readonly pad?: number;
  readonly unk?: number;
  /** Special tokens, content to id. */
  readonly specials: ReadonlyMap<string, number>;
  /** Ids that open every sequence (usually the beginning-of-sequence token, or nothing). */
  readonly prefix: readonly number[];
  /** The files it was made from. */
  readonly files: TokenizerFiles;
  /**
   * Tokens of a text, without `prefix`. A special token spelled out in the text stays ordinary characters, unless
   * `special` says that the text is trusted.
   */
  encode(text: string, options?: { readonly special?: boolean }): Encoding;
  /** Tokens of consecutive pieces; ranges count from the start of the first. Text is cut at special pieces alone. */
  encodePieces(pieces: readonly Piece[]): Encoding;
  decode(ids: Iterable<number>, options?: { readonly skipSpecial?: boolean }): string;
  streamDecoder(options?: { readonly skipSpecial?: boolean }): StreamDecoder;
  idOf(token: string): number | undefined;
  /** @throws TesseraError `tokenize/id` when the vocabulary has no such id */
  tokenOf(id: number): string;
}

/** Loads the tokenizer of a Hugging Face folder (`tokenizer.json`, `tokenizer_config.json`). */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  return createTokenizer(readTokenizerFiles(folder));
}

/** A tokenizer from the text of its files. */
export function createTokenizer(files: TokenizerFiles): Tokenizer {
  const layout = readLayout(files);
  const library = openLibrary(layout);
  const vocabSize = library.model?.vocab.length ?? 0;
  const idOf = (token: string) => library.token_to_id(token);
  const tokenOf = (id: number) => library.id_to_token(id) ?? unknownId(id, vocabSize);
  const surface = surfaces(layout.spelling);
  const specials = new Map<string, number>();
  for (const content of layout.special) specials.set(content, idOf(content) ?? unknownToken(content));
  const specialIds = new Set(specials.values());
  const named = (key: string) => specials.get(tokenContent(layout.config[`${key}_token`]) ?? '');
  const ids = Object.fromEntries(
    ['bos', 'eos', 'pad', 'unk'].map((key) => [key, named(key)]).filter(([, id]) => id !== undefined),
  ) as Pick<Tokenizer, 'bos' | 'eos' | 'pad' | 'unk'>;

  const encodePieces = (pieces: readonly Piece[]): Encoding => {
    const out: Encoding = { ids: [], spans: [] };
    let offset = 0;
    for (const run of cutRuns(pieces, layout)) {
      const part = run.special
        ? { ids: [specials.get(run.text) ?? unknownToken(run.text)], spans: [[0, run.text.length] as const] }
        : encodeRun(library, layout, surface, run.text, offset === 0, specialIds);
      out.ids.push(...part.ids);
      for (const [start, end] of part.spans) out.spans.push([start + offset, end + offset]);
      offset += run.text.length + run.trimmed;
    }
    return out;
  };

  const added = new Set(layout.added.map((token) => token.id));
  const utf8 = new TextEncoder();
  // A token looked for in normalized text stands for what the normalizer makes of it, a space in front included.
  const normalized = new Map(soughtNormalized(library, layout).map(({ token, content }) => [token.id, content]));
  const bytesOf = (id: number) => {
    const token = tokenOf(id);
    const content = normalized.get(id);
    if (content !== undefined) return spelledBytes(content, layout.spelling);
    return added.has(id) || specialIds.has(id) ? utf8.encode(token) : (surface(token) ?? utf8.encode(token));
  };
  const stream: Tokenizer['streamDecoder'] = ({ skipSpecial = true } = {}) =>
    streamDecoder((id) => (skipSpecial && specialIds.has(id) ? undefined : bytesOf(id)), layout.stripsSpace);

  return {
    vocabSize,
    ...ids,
    specials,
    prefix: openingIds(library, layout, ids.bos),
    files,
    encode: (text, { special = false } = {}) =>
      encodePieces(special ? splitAt(text, specials.keys()) : [{ text, special: false }]),
    encodePieces,
    decode: (sequence, options = {}) => {
      const decoder = stream({ skipSpecial: false, ...options });
      let text = '';
      for (const id of sequence) text += decoder.push(id);
      return text + decoder.end();
    },
    streamDecoder: stream,
    idOf,
    tokenOf,
  };
}

function openLibrary(layout: Layout): LibraryTokenizer {
  for (const flag of ['remove_space', 'do_lowercase_and_remove_accent']) {
    if (layout.config[flag] !== true) continue;
    throw new TesseraError({
      code: 'tokenize/unsupported',
      message: `a tokenizer with ${flag} rewrites its text, so its tokens cannot be traced back to characters`,
      path: `tokenizer_config.json ${flag}`,
    });
  }
  try {
    return new LibraryTokenizer(layout.tokenizer, layout.config);
  } catch (error) {
    throw asTesseraError(error, { code: 'tokenize/layout', path: 'tokenizer.json' });
  }
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

/**
 * Tokens of text that holds no special token. Added tokens that are looked for in the text itself come first; the rest is
 * normalized, and cut at those that are looked for in normalized text; the model tokenises what is left.
 */
function encodeRun(
  library: LibraryTokenizer,
  layout: Layout,
  surface: Surface,
  text: string,
  first: boolean,
  specialIds: ReadonlySet<number>,
): Encoding {
  const out: Encoding = { ids: [], spans: [] };
  const take = (token: string, [start, end]: readonly [number, number], offset: number) => {
    const id = library.token_to_id(token) ?? unknownToken(token);
    if (specialIds.has(id)) specialInText(token, text);
    out.ids.push(id);
    out.spans.push([start + offset, end + offset]);
  };
  let offset = 0;
  for (const part of cutAdded(text, layout.sought.text)) {
    if (part.token) take(part.token.content, [0, part.text.length], offset);
    else {
      const sections = modelTokens(library, layout, surface, part.text, first && offset === 0);
      const spans = alignTokens(sections, part.text, layout.spelling);
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
    return (library.model?.encode(words) ?? []).map((token: string) => ({ token, bytes: surface(token) }));
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
function soughtNormalized({ normalizer }: LibraryTokenizer, { sought }: Layout): Sought[] {
  return sought.normalized.map((token) => ({
    token,
    content: normalizer ? normalizer.normalize(token.content) : token.content,
  }));
}

/** What goes before every sequence: `add_bos_token` when the configuration has it, otherwise the post-processor's word. */
function openingIds(library: LibraryTokenizer, layout: Layout, bos: number | undefined): number[] {
  const declared = layout.config.add_bos_token;
  if (declared === true && bos === undefined) noBeginning();
  if (typeof declared === 'boolean') return declared && bos !== undefined ? [bos] : [];
  const probe = '\u0000';
  const tokens = openingTokens(library, probe);
  return tokens
    .slice(0, tokens.indexOf(probe))
    .map((token: string) => library.token_to_id(token) ?? unknownToken(token));
}

function openingTokens(library: LibraryTokenizer, probe: string): string[] {
  try {
    return library.post_processor?.post_process([probe], null, true).tokens ?? [probe];
  } catch (error) {
    throw asTesseraError(error, { code: 'tokenize/layout', path: 'tokenizer.json post_processor' });
  }
}

function noBeginning(): never {
  throw new TesseraError({
    code: 'tokenize/no-beginning',
    message: 'add_bos_token asks for a beginning-of-sequence token, and no file names one',
    path: 'tokenizer_config.json add_bos_token',
    expected: 'bos_token in tokenizer_config.json or special_tokens_map.json',
    remedy: 'name the token there, or set add_bos_token to false',
  });
}

function specialInText(token: string, text: string): never {
  throw new TesseraError({
    code: 'tokenize/special-in-text',
    message: `the vocabulary turns ordinary text into its special token ${token}`,
    got: JSON.stringify(text.slice(0, 80)),
    remedy: 'the text has a character the vocabulary lacks, or spells the special token out; take it out of the data',
  });
}

function unknownToken(token: string): never {
  throw new TesseraError({
    code: 'tokenize/token',
    message: 'the vocabulary has no such token',
    path: 'tokenizer.json',
    got: JSON.stringify(token),
  });
}

function unknownId(id: number, size: number): never {
  throw new TesseraError({
    code: 'tokenize/id',
    message: 'the vocabulary has no such token id',
    expected: `an integer from 0 to ${size - 1}`,
    got: `${id}`,
  });
}
