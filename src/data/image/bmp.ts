import type { RgbImage, Size } from './rgb.ts';
import { rgbImage } from './rgb.ts';

/** What the header of a BMP says. */
export interface BmpHeader extends Size {
  readonly bits: number;
  /** Rows stand from the top down; from the bottom up otherwise. */
  readonly topDown: boolean;
  /** Where the colours of a palette stand, their number, and the bytes of each. */
  readonly palette: { readonly start: number; readonly count: number; readonly bytes: 3 | 4 };
  readonly pixels: number;
  /** Bits of green in pixels of 16 bits. */
  readonly green: 5 | 6;
}

/**
 * Reads the header of a BMP (BITMAPCOREHEADER, BITMAPINFOHEADER and the longer ones).
 * @throws Error which says what is not read: run lengths, odd masks, transparency
 */
export function bmpHeader(bytes: Uint8Array): BmpHeader {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 26) throw new Error('the header is cut short');
  const length = data.getUint32(14, true);
  if (length === 12) {
    const [width, height, bits] = [data.getUint16(18, true), data.getUint16(20, true), data.getUint16(24, true)];
    const palette = { start: 26, count: colours(bits, 0), bytes: 3 as const };
    return { width, height, bits, topDown: false, palette, pixels: data.getUint32(10, true), green: 5 };
  }
  if (length < 40 || bytes.length < 14 + length) throw new Error('the header is of no kind that is known');
  const bits = data.getUint16(28, true);
  const height = data.getInt32(22, true);
  const compression = data.getUint32(30, true);
  if (compression !== 0 && compression !== 3) throw new Error(`compression ${compression} is not read`);
  const masks = compression === 3 ? masksOf(data, length) : undefined;
  return {
    width: data.getInt32(18, true),
    height: Math.abs(height),
    bits,
    topDown: height < 0,
    palette: { start: 14 + length, count: colours(bits, data.getUint32(46, true)), bytes: 4 },
    pixels: data.getUint32(10, true),
    green: greenOf(bits, masks),
  };
}

function colours(bits: number, said: number): number {
  return bits > 8 ? 0 : said || 2 ** bits;
}

function masksOf(data: DataView, length: number): readonly number[] {
  const count = length >= 56 ? 4 : 3;
  if (data.byteLength < 54 + 4 * count) throw new Error('the header is cut short');
  return Array.from({ length: count }, (_, i) => data.getUint32(54 + 4 * i, true));
}

/** Pixels of 16 bits have five bits a colour, or six of green by their masks; other masks are not read. */
function greenOf(bits: number, masks: readonly number[] | undefined): 5 | 6 {
  if (!masks) return 5;
  const known = masks.slice(0, 3).join();
  if ((masks[3] ?? 0) !== 0) throw new Error('transparency is not read');
  if (bits === 16 && known === [0x7c00, 0x3e0, 0x1f].join()) return 5;
  if (bits === 16 && known === [0xf800, 0x7e0, 0x1f].join()) return 6;
  if (bits === 32 && known === [0xff0000, 0xff00, 0xff].join()) return 5;
  throw new Error('the masks of the colours are not read');
}

/**
 * The pixels of a BMP as RGB, equal to Pillow's; the fourth byte of pixels of 32 bits is passed over.
 * @throws Error which says what is missing or not read
 */
export function bmpPixels(bytes: Uint8Array, header: BmpHeader): RgbImage {
  const { width, height, bits, topDown } = header;
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw new Error(`pixels of ${bits} bits are not read`);
  if (width < 1 || height < 1) throw new Error('the image has no pixels');
  const stride = 4 * Math.ceil((width * bits) / 32);
  if (header.pixels + stride * height > bytes.length) throw new Error('the pixels are cut short');
  const colour = colourReader(bytes, header);
  const out = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    const row = header.pixels + stride * (topDown ? y : height - 1 - y);
    for (let x = 0; x < width; x++) colour(row, x, out, 3 * (y * width + x));
  }
  return rgbImage(width, height, out);
}

/** Writes the colour of a pixel of a row. */
type ColourReader = (row: number, x: number, out: Uint8Array, at: number) => void;

function colourReader(bytes: Uint8Array, header: BmpHeader): ColourReader {
  const { bits, green } = header;
  const copy = (from: number, out: Uint8Array, at: number) => {
    for (let c = 0; c < 3; c++) out[at + c] = bytes[from + 2 - c] as number;
  };
  if (bits <= 8) return paletteReader(bytes, header, copy);
  if (bits >= 24) return (row, x, out, at) => copy(row + (x * bits) / 8, out, at);
  return (row, x, out, at) => {
    const pixel = (bytes[row + 2 * x] as number) | ((bytes[row + 2 * x + 1] as number) << 8);
    out[at] = part(pixel >> (5 + green), 5);
    out[at + 1] = part(pixel >> 5, green);
    out[at + 2] = part(pixel, 5);
  };
}

/** The last bits of a number as a share of 255, cut to an integer as Pillow does it. */
function part(value: number, bits: number): number {
  const most = 2 ** bits - 1;
  return Math.floor(((value & most) * 255) / most);
}

function paletteReader(
  bytes: Uint8Array,
  { bits, palette }: BmpHeader,
  copy: (from: number, out: Uint8Array, at: number) => void,
): ColourReader {
  if (palette.start + palette.count * palette.bytes > bytes.length) throw new Error('the palette is cut short');
  return (row, x, out, at) => {
    const byte = bytes[row + Math.floor((x * bits) / 8)] as number;
    const index = (byte >> (8 - bits - ((x * bits) % 8))) & (2 ** bits - 1);
    if (index >= palette.count) throw new Error('a pixel has a colour that the palette lacks');
    copy(palette.start + index * palette.bytes, out, at);
  };
}
