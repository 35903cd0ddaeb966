import { TesseraError } from '../../base/index.ts';

/**
 * How a vocabulary spells text. `metaspace`: a space is written `▁`, a byte without a piece of its own `<0xNN>` (LLaMA,
 * SentencePiece). `byte-level`: every byte is one printable letter (GPT-2, LLaMA-3, Qwen). The others spell words and lose
 * the spaces between them: `byte-level-words` marks the last piece of a word (CLIP), `word-pieces` all but the first (BERT).
 */
export type Spelling = 'metaspace' | 'byte-level' | 'byte-level-words' | 'word-pieces';

/** Whether a vocabulary spells words alone. */
export function spellsWords(spelling: Spelling): boolean {
  return spelling === 'byte-level-words' || spelling === 'word-pieces';
}

/** How a tokenizer writes text down. */
export interface Script {
  readonly spelling: Spelling;
  /** What a vocabulary of words writes at the end of a word, or in front of what goes on with one; empty elsewhere. */
  readonly wordMark: string;
  /** Whether it composes characters first, as Unicode's form NFC has them. */
  readonly composes: boolean;
  /** What becomes of a character with its marks, of which words alone are kept; absent where texts come back unchanged. */
  readonly fold?: (character: string) => string;
}

export const METASPACE = '\u2581';

const utf8 = new TextEncoder();
const BYTE_TOKEN = /^<0x([0-9A-F]{2})>$/;

/** GPT-2's table: printable Latin-1 bytes stand for themselves, the others for code points from 256 on. */
const byteOfLetter: ReadonlyMap<number, number> = (() => {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  const table = new Map<number, number>();
  let next = 256;
  for (let byte = 0; byte < 256; byte++) table.set(printable(byte) ? byte : next++, byte);
  return table;
})();

/** The name of the byte-fallback token for a byte. */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

/** The UTF-8 bytes a vocabulary entry stands for; undefined when it is spelled by no rule of its vocabulary. */
export type Surface = (token: string) => Uint8Array | undefined;

/** The surfaces of a vocabulary, each worked out once. */
export function surfaces(script: Script): Surface {
  const known = new Map<string, Uint8Array | undefined>();
  return (token) => {
    if (!known.has(token)) known.set(token, surfaceOf(token, script));
    return known.get(token);
  };
}

/** Whether a token of a vocabulary of words has its mark. */
export function hasWordMark(token: string, { spelling, wordMark }: Script): boolean {
  return spelling === 'word-pieces' ? token.startsWith(wordMark) : token.endsWith(wordMark);
}

function surfaceOf(token: string, script: Script): Uint8Array | undefined {
  const { spelling, wordMark } = script;
  if (spelling === 'word-pieces') return utf8.encode(hasWordMark(token, script) ? token.slice(wordMark.length) : token);
  if (spelling === 'byte-level-words' && hasWordMark(token, script)) return ofLetters(token.slice(0, -wordMark.length));
  if (spelling === 'metaspace') {
    const byte = BYTE_TOKEN.exec(token)?.[1];
    if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
    return utf8.encode(token.replaceAll(METASPACE, ' '));
  }
  return ofLetters(token);
}

function ofLetters(token: string): Uint8Array | undefined {
  const bytes = Array.from(token, (letter) => byteOfLetter.get(letter.codePointAt(0) as number));
  return bytes.every((byte) => byte !== undefined) ? Uint8Array.from(bytes) : undefined;
}

/** Text as bytes, with the UTF-16 range of the character each byte comes from. */
interface SpelledText {
  readonly bytes: number[];
  readonly start: number[];
  readonly end: number[];
}

/** A character with the marks that Unicode may compose with it, and the letters of one Korean syllable. */
const composable =
  /[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?\p{M}*|[\uac00-\ud7a3][\u11a8-\u11c2]\p{M}*|[\s\S]\p{M}*/gu;

function spell(text: string, { spelling, composes, fold }: Script): SpelledText {
  const spelled: SpelledText = { bytes: [], start: [], end: [] };
  let at = 0;
  for (const character of fold ? folded(text, fold) : composes ? composed(text) : text) {
    const [written, length] = typeof character === 'string' ? [character, character.length] : character;
    const code = written.charCodeAt(0);
    for (const byte of written.length === 1 && code < 0x80 ? [code] : spelledBytes(written, spelling)) {
      spelled.bytes.push(byte);
      spelled.start.push(at);
      spelled.end.push(at + length);
    }
    at += length;
  }
  return spelled;
}

/** The characters of a text in Unicode's composed form, with the length of what each stretch of them is made of. */
function* composed(text: string): Generator<string | readonly [written: string, length: number]> {
  if (text === text.normalize('NFC')) return yield* text;
  for (const [stretch] of text.matchAll(composable)) {
    const written = stretch.normalize('NFC');
    if (written === stretch) yield* stretch;
    else yield [written, stretch.length];
  }
}

/** The characters of a text as words keep them, with the length of what each is made of. */
function* folded(
  text: string,
  fold: (character: string) => string,
): Generator<readonly [written: string, length: number]> {
  for (const character of characters(text)) yield [fold(character), character.length];
}

/** The characters of a text, each with its marks. */
export function characters(text: string): string[] {
  return text.match(composable) ?? [];
}

/** A token of the vocabulary with the bytes it stands for in the text; undefined when no rule spells it. */
export interface SpelledToken {
  readonly token: string;
  readonly bytes: Uint8Array | undefined;
  /** An added token that was cut out of the text, or the one for words that the vocabulary lacks. */
  readonly added?: true;
}

/** The bytes of a stretch of normalized text, as its vocabulary would spell them. */
export function spelledBytes(text: string, spelling: Spelling): Uint8Array {
  return utf8.encode(spelling === 'metaspace' ? text.replaceAll(METASPACE, ' ') : text);
}

/**
 * Character ranges of tokens, found by laying the tokens' bytes along the text's. A text comes in sections, which are
 * tokenised apart. The one byte that may come before a section's text is the space which metaspace vocabularies put in
 * front; a token that is nothing else has an empty range. A character cut into several tokens belongs whole to each,
 * and so does one with its marks, where the tokenizer composes them.
 *
 * @returns for each token of all sections its half-open range of UTF-16 offsets in `text`
 * @throws TesseraError `tokenize/alignment` when tokens and text differ anywhere
 */
export function alignTokens(
  sections: readonly (readonly SpelledToken[])[],
  text: string,
  script: Script,
): readonly (readonly [start: number, end: number])[] {
  const spelled = spell(text, script);
  const ranges: (readonly [number, number])[] = [];
  let at = 0;
  for (const [i, section] of sections.entries()) {
    const bytes = sectionBytes(section);
    const last = i === sections.length - 1;
    const skip = bytes && [0, 1].find((prefix) => lies(bytes, prefix, spelled.bytes, at, last));
    if (!bytes || skip === undefined) misaligned(sections, text);
    ranges.push(...rangesOf(section, spelled, text.length, at, skip));
    at += bytes.length - skip;
  }
  if (at !== spelled.bytes.length) misaligned(sections, text);
  return ranges;
}

function sectionBytes(section: readonly SpelledToken[]): number[] | undefined {
  const all: number[] = [];
  for (const { bytes } of section) {
    if (!bytes) return undefined;
    for (const byte of bytes) all.push(byte);
  }
  return all;
}

/** Whether bytes, less a space in front, are those of the text from a place on, and of all that is left of it. */
function lies(bytes: readonly number[], skip: number, text: readonly number[], at: number, all: boolean): boolean {
  if (skip === 1 && bytes[0] !== 0x20) return false;
  if (all && at + bytes.length - skip !== text.length) return false;
  for (let i = skip; i < bytes.length; i++) if (text[at + i - skip] !== bytes[i]) return false;
  return true;
}

function rangesOf(
  section: readonly SpelledToken[],
  { start, end }: SpelledText,
  length: number,
  from: number,
  skip: number,
): (readonly [number, number])[] {
  let at = from - skip;
  return section.map(({ bytes }) => {
    const first = Math.max(at, from);
    at += bytes?.length ?? 0;
    const begin = start[first] ?? length;
    return [begin, at > first ? (end[at - 1] as number) : begin] as const;
  });
}

function misaligned(sections: readonly (readonly SpelledToken[])[], text: string): never {
  const tokens = sections.flat().map(({ token }) => token);
  const shorten = (s: string) => (s.length > 80 ? `${s.slice(0, 77)}...` : s);
  throw new TesseraError({
    code: 'tokenize/alignment',
    message: 'the tokens do not spell the text they come from',
    expected: JSON.stringify(shorten(text)),
    got: shorten(tokens.join(' ')),
    remedy: 'the tokenizer rewrites its input; give it text in the form it produces',
  });
}
