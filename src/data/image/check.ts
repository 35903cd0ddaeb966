import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { TesseraError } from '../../base/index.ts';
import { lookUp } from '../../files/index.ts';
import { decodeImage } from './decode.ts';
import { fits } from './limits.ts';
import { imageSize } from './size.ts';
import { sourceBytesNow } from './source.ts';

/** Bytes read from the beginning of a file; headers end before, and most images do. */
const HEAD = 1 << 18;
/** Bytes read from its end, where the mark of a complete image stands. */
const TAIL = 16;

/** As much of an encoded image as a look needs. */
interface Ends {
  readonly head: Buffer;
  readonly tail: Buffer;
  readonly total: number;
}

/**
 * Looks whether an image can be read, without decoding it when its header and its end are as they should be, and of a
 * PNG the checksums near its beginning. Whatever looks odd is decoded whole, so that nothing is refused here that training
 * could read. Other damage in the middle of a file stays unseen.
 *
 * @throws TesseraError as `decodeImage`
 */
export async function checkImage(source: string): Promise<void> {
  const ends = endsOf(source);
  if (!ends || !looksWhole(ends)) await decodeImage(source);
}

function endsOf(source: string): Ends | undefined {
  if (/^data:/i.test(source)) {
    const bytes = Buffer.from(sourceBytesNow(source));
    return { head: bytes, tail: bytes.subarray(-TAIL), total: bytes.length };
  }
  if (lookUp(source)?.kind !== 'file') return undefined;
  try {
    return readEnds(source);
  } catch {
    // Why it cannot be read is told by who decodes it.
    return undefined;
  }
}

function readEnds(path: string): Ends {
  const file = openSync(path, 'r');
  try {
    const total = fstatSync(file).size;
    const head = Buffer.alloc(Math.min(HEAD, total));
    const got = readSync(file, head, 0, head.length, 0);
    if (total <= HEAD) return { head: head.subarray(0, got), tail: head.subarray(Math.max(0, got - TAIL), got), total };
    const tail = Buffer.alloc(TAIL);
    return { head, tail: tail.subarray(0, readSync(file, tail, 0, TAIL, total - TAIL)), total };
  } finally {
    closeSync(file);
  }
}

const END_OF_JPEG = Buffer.from([0xff, 0xd9]);
const END_OF_PNG = Buffer.from('IEND\xaeB`\x82', 'latin1');

function looksWhole({ head, tail, total }: Ends): boolean {
  const start = head.toString('latin1', 0, 12);
  if (start.startsWith('\xff\xd8\xff')) return sizeFits(head) && endsWith(tail, END_OF_JPEG);
  if (start.startsWith('\x89PNG\r\n\x1a\n'))
    return sizeFits(head) && endsWith(tail, END_OF_PNG) && !head.includes('acTL') && sumsAgree(head);
  if (start.startsWith('RIFF') && start.endsWith('WEBP')) return webpLooksWhole(head, total);
  return false;
}

function endsWith(tail: Buffer, end: Buffer): boolean {
  return tail.subarray(-end.length).equals(end);
}

/** Whether the chunks of a PNG, as far as they are there, have the checksums that stand behind them. */
function sumsAgree(png: Buffer): boolean {
  for (let at = 8; at + 12 <= png.length; ) {
    const sum = at + 8 + png.readUInt32BE(at);
    if (sum + 4 > png.length) return true;
    if (crc32(png.subarray(at + 4, sum)) !== png.readUInt32BE(sum)) return false;
    at = sum + 4;
  }
  return true;
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
