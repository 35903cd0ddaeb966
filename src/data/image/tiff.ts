/**
 * Says why a TIFF would not come out as Pillow reads it: samples of more than 8 bits are scaled otherwise, and colours
 * that were multiplied by their transparency are divided again.
 */
export function tiffUnread(bytes: Uint8Array): string | undefined {
  const bits = tiffShort(bytes, BITS_PER_SAMPLE) ?? 1;
  if (bits > 8) return `samples of ${bits} bits`;
  if (tiffShort(bytes, EXTRA_SAMPLES) === 1) return 'colours multiplied by their transparency';
  return undefined;
}

const BITS_PER_SAMPLE = 258;
const EXTRA_SAMPLES = 338;

/** The first value of a tag of 16-bit values in the first directory. */
function tiffShort(bytes: Uint8Array, tag: number): number | undefined {
  if (bytes.length < 8) return undefined;
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = data.getUint16(0) === 0x4949;
  const first = data.getUint32(4, little);
  if (first + 2 > bytes.length) return undefined;
  const count = data.getUint16(first, little);
  for (let i = 0, at = first + 2; i < count && at + 12 <= bytes.length; i++, at += 12) {
    if (data.getUint16(at, little) !== tag) continue;
    const values = data.getUint32(at + 4, little);
    // Up to two values stand in the entry itself.
    const place = values <= 2 ? at + 8 : data.getUint32(at + 8, little);
    return place + 2 <= bytes.length ? data.getUint16(place, little) : undefined;
  }
  return undefined;
}
