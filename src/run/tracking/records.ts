import { crc32c } from './crc32c.ts';

/**
 * One record of a TFRecord file: the length (8 bytes), its checksum, the bytes, their checksum; all little-endian.
 * The format masks checksums, so that a file of records within a record does not check itself.
 */
export function frame(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length + 16);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(bytes.length), true);
  view.setUint32(8, masked(crc32c(out.subarray(0, 8))), true);
  out.set(bytes, 12);
  view.setUint32(12 + bytes.length, masked(crc32c(bytes)), true);
  return out;
}

/** Rotated right by 15 bits, plus a constant. */
function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
