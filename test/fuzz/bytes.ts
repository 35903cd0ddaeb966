import type { Random } from '../../src/base/index.ts';

/** Bytes that mean something to many formats. */
const telling = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x20, 0x22, 0x2c, 0x3a, 0x5b, 0x5c, 0x5d, 0x7b, 0x7d, 0x30, 0x39, 0x2d];

/** A copy of bytes with one to four places spoilt: changed, inserted, taken out, repeated, or cut off. */
export function spoilBytes(bytes: Uint8Array, random: Random): Uint8Array {
  let out = bytes;
  for (let n = random.int(1, 5); n > 0; n--) out = spoilOnce(out, random);
  return out;
}

function spoilOnce(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.int(0, bytes.length + 1);
  const length = random.int(1, 9);
  const byte = random.chance(0.5) ? random.pick(telling) : random.int(0, 256);
  switch (random.int(0, 6)) {
    case 0:
      return splice(bytes, at, 1, [(bytes[at] ?? 0) ^ (1 << random.int(0, 8))]);
    case 1:
      return splice(bytes, at, 1, [byte]);
    case 2:
      return splice(bytes, at, 0, [byte]);
    case 3:
      return splice(bytes, at, length, []);
    case 4:
      return splice(bytes, at, 0, bytes.subarray(at, at + length));
    default:
      return random.chance(0.3) ? bytes.subarray(0, at) : splice(bytes, bytes.length, 0, [byte]);
  }
}

function splice(bytes: Uint8Array, at: number, remove: number, insert: ArrayLike<number>): Uint8Array {
  const start = Math.min(at, bytes.length);
  const rest = bytes.subarray(Math.min(start + remove, bytes.length));
  const out = new Uint8Array(start + insert.length + rest.length);
  out.set(bytes.subarray(0, start));
  out.set(insert, start);
  out.set(rest, start + insert.length);
  return out;
}
