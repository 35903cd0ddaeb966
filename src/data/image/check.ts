import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { TesseraError } from '../../base/index.ts';
import { lookUp } from '../../files/index.ts';
import { decodeImage } from './decode.ts';
import { fits } from './limits.ts';
import { imageSize } from './size.ts';
import { sourceBytesNow } from './source.ts';

/** Bytes read at a time; headers end before, and most images do. */
const HEAD = 1 << 18;
/** Bytes read from its end, where the mark of a complete image stands. */
const TAIL = 16;

/** The bytes of an encoded image, of which no more is read than a look needs. */
interface Encoded {
  readonly total: number;
  /** Fewer bytes where the image ends before. */
  read(at: number, size: number): Buffer;
}

/**
 * Looks whether an image can be read, without decoding it when its header and its end are as they should be, and of a
 * PNG all checksums. Whatever looks odd is decoded whole, so that nothing is refused here that training could read. Damage
 * in the middle of a file of another format stays unseen.
 *
 * @throws TesseraError as `decodeImage`
 */
export async function checkImage(source: string): Promise<void> {
  if (!seemsWhole(source)) await decodeImage(source);
}

function seemsWhole(source: string): boolean {
  if (/^data:/i.test(source)) {
    const bytes = Buffer.from(sourceBytesNow(source));
    return looksWhole({ total: bytes.length, read: (at, size) => bytes.subarray(at, at + size) });
  }
  if (lookUp(source)?.kind !== 'file') return false;
  try {
    return fileSeemsWhole(source);
  } catch {
    // Why it cannot be read is told by who decodes it.
    return false;
  }
}

function fileSeemsWhole(path: string): boolean {
  const file = openSync(path, 'r');
  try {
    return looksWhole(buffered(file));
  } finally {
    closeSync(file);
  }
}

/** A file that is read in large pieces, however small those asked for. */
function buffered(file: number): Encoded {
  const total = fstatSync(file).size;
  const piece = Buffer.alloc(Math.min(HEAD, total));
  let [start, held] = [0, 0];
  return {
    total,
    read(at, size) {
      if (at < start || at + size > start + held) {
        start = at;
        held = readSync(file, piece, 0, piece.length, at);
      }
      return piece.subarray(at - start, Math.min(held, at - start + size));
    },
  };
}

const END_OF_JPEG = Buffer.from([0xff, 0xd9]);
const END_OF_PNG = Buffer.from('IEND\xaeB`\x82', 'latin1');

function looksWhole(encoded: Encoded): boolean {
  const { total } = encoded;
  // The next reading may take the place of this one's bytes.
  const tail = Buffer.from(encoded.read(Math.max(0, total - TAIL), TAIL));
  const head = encoded.read(0, HEAD);
  const start = head.toString('latin1', 0, 12);
  if (start.startsWith('\xff\xd8\xff')) return sizeFits(head) && endsWith(tail, END_OF_JPEG);
  if (start.startsWith('\x89PNG\r\n\x1a\n'))
    return sizeFits(head) && endsWith(tail, END_OF_PNG) && !head.includes('acTL') && sumsAgree(encoded);
  if (start.startsWith('RIFF') && start.endsWith('WEBP')) return webpLooksWhole(head, total);
  return false;
}

function endsWith(tail: Buffer, end: Buffer): boolean {
  return tail.subarray(-end.length).equals(end);
}

/** Whether the chunks of a PNG follow each other to its end, each with the checksum that stands behind it. */
function sumsAgree({ total, read }: Encoded): boolean {
  let at = 8;
  while (at + 12 <= total) {
    const sum = at + 8 + read(at, 4).readUInt32BE();
    if (sum + 4 > total) return false;
    let found = 0;
    for (let from = at + 4; from < sum; from += HEAD) found = crc32(read(from, Math.min(HEAD, sum - from)), found);
    if (read(sum, 4).readUInt32BE() !== found) return false;
    at = sum + 4;
  }
  return at === total;
}

function sizeFits(head: Buffer): boolean {
  try {
    const { width, height } = imageSize(head);
    return width > 0 && height > 0 && fits(width, height);
  } catch (error) {
    if (error instanceof TesseraError) return false;
    throw error;
  }
}

/** The container says its length; the extended form has its size and whether it moves in the first chunk. */
function webpLooksWhole(head: Buffer, total: number): boolean {
  if (head.length < 30 || head.readUInt32LE(4) + 8 > total) return false;
  const kind = head.toString('latin1', 12, 16);
  if (kind === 'VP8 ') return fits(head.readUInt16LE(26) & 0x3fff, head.readUInt16LE(28) & 0x3fff);
  if (kind !== 'VP8X') return false;
  const moves = (head.readUInt8(20) & 2) !== 0;
  return !moves && fits(head.readUIntLE(24, 3) + 1, head.readUIntLE(27, 3) + 1);
}
