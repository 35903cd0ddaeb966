import { TesseraError } from '../../base/index.ts';

/**
 * How a vocabulary spells text. `metaspace`: a space is written `▁`, a byte without a piece of its own `<0xNN>` (LLaMA,
 * SentencePiece). `byte-level`: every byte is one printable letter (GPT-2, LLaMA-3, Qwen).
 */
export type Spelling = 'metaspace' | 'byte-level';

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
export function surfaces(spelling: Spelling): Surface {
  const known = new Map<string, Uint8Array | undefined>();
  return (token) => {
    if (!known.has(token)) known.set(token, surfaceOf(token, spelling));
    return known.get(token);
  };
}

function surfaceOf(token: string, spelling: Spelling): Uint8Array | undefined {
  if (spelling === 'metaspace') {
    const byte = BYTE_TOKEN.exec(token)?.[1];
    if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
    return utf8.encode(token.replaceAll(METASPACE, ' '));
  }
  const bytes = Array.from(token, (letter) => byteOfLetter.get(letter.codePointAt(0) as number));
  return bytes.every((byte) => byte !== undefined) ? Uint8Array.from(bytes) : undefined;
}

/** Text as bytes, with the UTF-16 range of the character each byte comes from. */
interface SpelledText {
  readonly bytes: number[];
  readonly start: number[];
  readonly end: number[];
}

function spell(text: string, spelling: Spelling): SpelledText {
  const spelled: SpelledText = { bytes: [], start: [], end: [] };
  let at = 0;
  for (const character of text) {
    // A metaspace vocabulary cannot tell `▁` from a space: both are written alike.
    const written = spelling === 'metaspace' && character === METASPACE ? ' ' : character;
    const ascii = written.charCodeAt(0) < 0x80;
    for (const byte of ascii ? [written.charCodeAt(0)] : utf8.encode(written)) {
      spelled.bytes.push(byte);
      spelled.start.push(at);
      spelled.end.push(at + character.length);
    }
    at += character.length;
  }
  return spelled;
}

/**
 * Character ranges of tokens, found by laying the tokens' bytes along the text's. The one byte that may come before the
 * text is the space which metaspace vocabularies put in front; a token that is nothing else has the empty range [0, 0).
 * A character cut into several tokens belongs whole to each of them.
 *
 * @returns for each token its half-open range of UTF-16 offsets in `text`
 * @throws TesseraError `tokenize/alignment` when tokens and text differ anywhere
 */
export function alignTokens(
  tokens: readonly string[],
  text: string,
  spelling: Spelling,
  surface: Surface,
): readonly (readonly [start: number, end: number])[] {
  const spelled = tokens.map(surface);
  const { bytes, start, end } = spell(text, spelling);
  const total = spelled.reduce((n, piece) => n + (piece?.length ?? 0), 0);
  const prefix = total - bytes.length;
  if (prefix !== 0 && !(prefix === 1 && spelled.find((piece) => piece?.length)?.[0] === 0x20)) misaligned(tokens, text);
  let at = -prefix;
  return spelled.map((piece) => {
    if (!piece) return misaligned(tokens, text);
    for (let i = 0; i < piece.length; i++) if (at + i >= 0 && bytes[at + i] !== piece[i]) misaligned(tokens, text);
    const first = Math.max(at, 0);
    at += piece.length;
    const from = start[first] ?? text.length;
    return [from, at > first ? (end[at - 1] as number) : from] as const;
  });
}

function misaligned(tokens: readonly string[], text: string): never {
  const shorten = (s: string) => (s.length > 80 ? `${s.slice(0, 77)}...` : s);
  throw new TesseraError({
    code: 'tokenize/alignment',
    message: 'the tokens do not spell the text they come from',
    expected: JSON.stringify(shorten(text)),
    got: shorten(tokens.join(' ')),
    remedy: 'the tokenizer rewrites its input; give it text in the form it produces (often Unicode NFC)',
  });
}
