import { closeSync, openSync, readSync } from 'node:fs';
import { TesseraError } from '../../base/index.ts';
import { lookUp } from '../../files/index.ts';

const CHUNK = 1 << 20;
/** Largest piece taken out of a file, in bytes; a record with an image in it is some megabytes. */
const LARGEST_PIECE = 64 << 20;
const NEWLINE = 0x0a;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** For each byte, 1 when it belongs to the set. */
export type ByteSet = Uint8Array;

export function byteSet(characters: string): ByteSet {
  return Uint8Array.from({ length: 256 }, (_, byte) => (characters.includes(String.fromCharCode(byte)) ? 1 : 0));
}

/** Reads a file byte by byte through one buffer, counting lines; to be closed. */
export class ByteReader {
  readonly path: string;
  /** Line of the next byte, from 1. */
  line = 1;
  readonly #file: number;
  readonly #buffer = Buffer.allocUnsafe(CHUNK);
  #at = 0;
  #end = 0;
  /** Bytes of the piece being taken, out of buffers read before. */
  #pieces: Buffer[] | undefined;
  #pieceStart = 0;
  #pieceBytes = 0;

  /** @throws TesseraError `data/file`, `data/encoding` */
  constructor(path: string) {
    this.path = path;
    try {
      const kind = lookUp(path)?.kind ?? 'file';
      if (kind !== 'file') throw new Error(`a ${kind}`);
      this.#file = openSync(path, 'r');
      this.#fill();
    } catch (cause) {
      const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
      throw new TesseraError(
        {
          code: 'data/file',
          message: missing ? 'there is no such data file' : 'the data file cannot be read',
          path,
          ...(!missing && { got: (cause as Error).message }),
        },
        { cause },
      );
    }
    this.#refuseUtf16();
    if (BYTE_ORDER_MARK.every((byte, i) => i < this.#end && this.#buffer[i] === byte)) this.#at = 3;
  }

  #refuseUtf16(): void {
    const [first, second] = this.#buffer.subarray(0, Math.min(2, this.#end));
    if (!((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff))) return;
    this.close();
    throw new TesseraError({
      code: 'data/encoding',
      message: 'the data file is written in UTF-16',
      path: this.path,
      expected: 'UTF-8 text',
      got: 'the byte order mark of UTF-16',
      remedy: 'save it as UTF-8',
    });
  }

  close(): void {
    closeSync(this.#file);
  }

  /** The next byte, or -1 at the end. */
  peek(): number {
    if (this.#at === this.#end) this.#fill();
    return this.#at === this.#end ? -1 : (this.#buffer[this.#at] as number);
  }

  /** Moves past the byte that `peek` gave. */
  skip(): void {
    if (this.#buffer[this.#at] === NEWLINE) this.line++;
    this.#at++;
  }

  /** Moves to the next byte that is one of these, or to the end. */
  skipTo(stops: ByteSet): void {
    while (this.peek() !== -1) {
      let at = this.#at;
      while (at < this.#end && stops[this.#buffer[at] as number] === 0) {
        if (this.#buffer[at] === NEWLINE) this.line++;
        at++;
      }
      this.#at = at;
      if (at < this.#end) return;
    }
  }

  /** Starts collecting the bytes that are skipped. */
  mark(): void {
    this.#pieces = [];
    this.#pieceStart = this.#at;
    this.#pieceBytes = 0;
  }

  /** The bytes skipped since `mark`; undefined when they are too many to be one record. */
  taken(): Buffer | undefined {
    if (this.#pieceBytes > LARGEST_PIECE) return undefined;
    const last = this.#buffer.subarray(this.#pieceStart, this.#at);
    const bytes = Buffer.concat([...(this.#pieces ?? []), last]);
    this.#pieces = undefined;
    return bytes;
  }

  #keep(): void {
    if (!this.#pieces) return;
    this.#pieceBytes += this.#end - this.#pieceStart;
    if (this.#pieceBytes > LARGEST_PIECE) this.#pieces = [];
    else this.#pieces.push(Buffer.from(this.#buffer.subarray(this.#pieceStart, this.#end)));
  }

  #fill(): void {
    this.#keep();
    this.#pieceStart = 0;
    this.#at = 0;
    this.#end = readSync(this.#file, this.#buffer, 0, CHUNK, null);
  }
}

/** Bytes as text; undefined when they are no UTF-8. */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
