import { asTesseraError, TesseraError } from '../../base/index.ts';
import { type StreamDecoder, streamDecoder } from './decode.ts';
import { type Encoding, normalizerOf, pieceEncoder, soughtNormalized, unknownToken } from './encode.ts';
import { readTokenizerFiles, type TokenizerFiles } from './files.ts';
import { type Layout, readLayout, tokenContent } from './layout.ts';
import { idsOf, type LibraryTokenizer, openLibrary } from './library.ts';
import { type Piece, splitAt } from './split.ts';
import { hasWordMark, type Surface, spelledBytes, spellsWords, surfaces } from './surface.ts';

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
  const idOf = idsOf(library, layout);
  const tokenOf = (id: number) => library.id_to_token(id) ?? unknownId(id, vocabSize);
  const specials = new Map<string, number>();
  for (const content of layout.special) specials.set(content, idOf(content) ?? unknownToken(content));
  const named = (key: string) => specials.get(tokenContent(layout.config[`${key}_token`]) ?? '');
  // BERT's vocabularies name what opens and ends a text after what it is used for: classes, and pairs of texts.
  const ends = {
    bos: named('bos') ?? named('cls'),
    eos: named('eos') ?? named('sep'),
    pad: named('pad'),
    unk: named('unk'),
  };
  const ids = Object.fromEntries(Object.entries(ends).filter(([, id]) => id !== undefined)) as Partial<
    Record<keyof typeof ends, number>
  >;
  const surface = surfaces(layout);
  const encodePieces = pieceEncoder(library, layout, surface, specials);
  const bytesOf = byteReader(library, layout, surface, tokenOf, specials);
  const specialIds = new Set(specials.values());
  const stream: Tokenizer['streamDecoder'] = ({ skipSpecial = true } = {}) =>
    streamDecoder((id) => (skipSpecial && specialIds.has(id) ? undefined : bytesOf(id)), layout.ownSpace);
  return {
    vocabSize,
    ...ids,
    specials,
    prefix: openingIds(library, layout, idOf, ids.bos),
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

/** The bytes that an id stands for in decoded text. */
function byteReader(
  library: LibraryTokenizer,
  layout: Layout,
  surface: Surface,
  tokenOf: (id: number) => string,
  specials: ReadonlyMap<string, number>,
): (id: number) => Uint8Array {
  const whole = new Set([...layout.added.map((token) => token.id), ...specials.values()]);
  // A token looked for in normalized text stands for what the normalizer makes of it, a space in front included.
  const sought = soughtNormalized(normalizerOf(library, layout), [
    ...layout.sought.normalized,
    ...layout.sought.marked,
  ]);
  const normalized = new Map(sought.map(({ token, content }) => [token.id, content]));
  const utf8 = new TextEncoder();
  return (id) => {
    const token = tokenOf(id);
    // A letter that stands for a byte stays one where it is also added as a token.
    const piece = layout.spelling === 'byte-level' && layout.pieces.has(token) ? surface(token) : undefined;
    if (piece !== undefined) return piece;
    const content = normalized.get(id);
    if (content !== undefined) return spelledBytes(content, layout.spelling);
    const bytes = whole.has(id) ? utf8.encode(token) : (surface(token) ?? utf8.encode(token));
    return spaced(bytes, token, whole.has(id), layout);
  };
}

const SPACE = 0x20;

/** The bytes of a token with the space that a vocabulary of words leaves out. */
function spaced(bytes: Uint8Array, token: string, whole: boolean, layout: Layout): Uint8Array {
  if (!spellsWords(layout.spelling)) return bytes;
  const marked = !whole && hasWordMark(token, layout);
  if (layout.spelling === 'word-pieces') return marked ? bytes : Uint8Array.of(SPACE, ...bytes);
  return marked ? Uint8Array.of(...bytes, SPACE) : bytes;
}

/** What goes before every sequence: `add_bos_token` when the configuration has it, otherwise the post-processor's word. */
function openingIds(
  library: LibraryTokenizer,
  layout: Layout,
  idOf: Tokenizer['idOf'],
  bos: number | undefined,
): number[] {
  const declared = layout.config.add_bos_token;
  if (declared === true && bos === undefined) noBeginning();
  if (typeof declared === 'boolean') return declared && bos !== undefined ? [bos] : [];
  const probe = '\u0000';
  const tokens = openingTokens(library, probe);
  return tokens.slice(0, tokens.indexOf(probe)).map((token: string) => idOf(token) ?? unknownToken(token));
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

function unknownId(id: number, size: number): never {
  throw new TesseraError({
    code: 'tokenize/id',
    message: 'the vocabulary has no such token id',
    expected: `an integer from 0 to ${size - 1}`,
    got: `${id}`,
  });
}
