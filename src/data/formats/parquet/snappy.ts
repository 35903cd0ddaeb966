/**
 * Unpacks Snappy's raw format: the length, then literals and copies of what was unpacked before.
 * @param length of what is packed, as the page says
 * @throws Error for what goes beyond either end
 */
export function unpackSnappy(input: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length);
  let [at, end] = [preamble(input, length), 0];
  while (at < input.length) {
    const tag = input[at++] as number;
    const size = sizeOf(tag, input, at);
    at += size.extra;
    if (end + size.bytes > length) throw new Error('Snappy data is longer than it says');
    if (size.back === 0) {
      if (at + size.bytes > input.length) throw new Error('Snappy data ends inside a literal');
      out.set(input.subarray(at, at + size.bytes), end);
      at += size.bytes;
    } else {
      if (size.back > end) throw new Error('Snappy data copies what is not there');
      copy(out, end, size.back, size.bytes);
    }
    end += size.bytes;
  }
  if (end !== length) throw new Error('Snappy data is shorter than it says');
  return out;
}

/** Where the data begins behind its length, seven bits a byte. */
function preamble(input: Uint8Array, length: number): number {
  let [value, at] = [0, 0];
  for (; at < 5; at++) {
    const byte = input[at] ?? 0;
    value += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) break;
  }
  if (value !== length) throw new Error(`Snappy data of ${value} bytes in the place of ${length}`);
  return at + 1;
}

interface Size {
  /** Bytes behind the tag that say more of it. */
  readonly extra: number;
  readonly bytes: number;
  /** How far back the bytes are copied from; 0 for a literal. */
  readonly back: number;
}

function sizeOf(tag: number, input: Uint8Array, at: number): Size {
  const low = tag >> 2;
  if ((tag & 3) === 0) {
    const extra = low < 60 ? 0 : low - 59;
    return { extra, bytes: 1 + (extra === 0 ? low : number(input, at, extra)), back: 0 };
  }
  const extra = [1, 2, 4][(tag & 3) - 1] as number;
  const bytes = extra === 1 ? 4 + (low & 7) : 1 + low;
  const back = extra === 1 ? ((tag >> 5) << 8) + number(input, at, 1) : number(input, at, extra);
  if (back === 0) throw new Error('Snappy data copies from nowhere');
  return { extra, bytes, back };
}

/** A number of some bytes, the least first. */
function number(input: Uint8Array, at: number, bytes: number): number {
  if (at + bytes > input.length) throw new Error('Snappy data ends inside a tag');
  let value = 0;
  for (let i = 0; i < bytes; i++) value += (input[at + i] as number) * 2 ** (8 * i);
  return value;
}

/** Copies within what was unpacked; a copy may read what it wrote itself. */
function copy(out: Uint8Array, end: number, back: number, bytes: number): void {
  if (back >= bytes) out.copyWithin(end, end - back, end - back + bytes);
  else for (let i = 0; i < bytes; i++) out[end + i] = out[end - back + i] as number;
}
