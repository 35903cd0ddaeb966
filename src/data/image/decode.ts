import type { Metadata, Sharp } from 'sharp';
import { TesseraError } from '../../base/index.ts';
import { bmpHeader, bmpPixels } from './bmp.ts';
import { DEFAULT_MAX_PIXELS, fits, MAX_SIDE } from './limits.ts';
import type { RgbImage, Size } from './rgb.ts';
import { rgbImage } from './rgb.ts';
import type { ImageSource } from './source.ts';
import { sourceBytes, sourceName } from './source.ts';
import { tiffUnread } from './tiff.ts';

export interface DecodeOptions {
  /** Largest image accepted, in pixels. */
  readonly maxPixels?: number;
  /**
   * What becomes of transparency: `drop` keeps the stored colours, as PIL's `convert('RGB')` and LLaVA do; `white`
   * composites onto white, as transformers 5 does.
   */
  readonly alpha?: 'drop' | 'white';
  /** Take the first frame of an animation, which is refused otherwise. */
  readonly firstFrame?: boolean;
}

type Format = 'jpeg' | 'png' | 'webp' | 'gif' | 'bmp' | 'tiff';

/** Tells the format from the first bytes, so that no other decoder of the library ever sees the data. */
function sniff(bytes: Uint8Array): Format | undefined {
  const head = Buffer.from(bytes.subarray(0, 12)).toString('latin1');
  if (head.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (head.startsWith('RIFF') && head.slice(8, 12) === 'WEBP') return 'webp';
  if (head.startsWith('GIF87a') || head.startsWith('GIF89a')) return 'gif';
  if (head.startsWith('BM')) return 'bmp';
  if (head.startsWith('II*\0') || head.startsWith('MM\0*')) return 'tiff';
  return undefined;
}

/**
 * Decodes a JPEG, PNG, WebP, GIF, BMP or TIFF to 8-bit RGB, upright by its EXIF orientation. Colour profiles are ignored, 16-bit
 * samples keep their high byte, grey is repeated over the channels and CMYK is converted as PIL does it.
 *
 * @throws TesseraError `image/missing`, `image/unreadable`, `image/remote`, `image/data-uri`, `image/empty`,
 *   `image/format`, `image/too-large`, `image/animated`, `image/pages`, `image/corrupt`
 * @example const image = await decodeImage('photo.jpg');
 */
export async function decodeImage(source: ImageSource, options: DecodeOptions = {}): Promise<RgbImage> {
  const bytes = await sourceBytes(source);
  const path = sourceName(source);
  const format = checkFormat(bytes, path);
  if (format === 'bmp') return decodeBmp(bytes, path, options);
  const unread = format === 'tiff' && tiffUnread(bytes);
  if (unread) throw unreadKind(path, `a TIFF with ${unread}`);
  // Its load takes as long as that of a small model; who shows no image does without.
  const { default: sharp } = await import('sharp');
  const decoder = sharp(bytes, {
    failOn: 'error',
    limitInputPixels: false,
    limitInputChannels: 5,
    ignoreIcc: true,
    pages: 1,
  });
  const header = await decoder.metadata().catch((cause: unknown) => {
    throw corrupt(path, format, cause);
  });
  checkHeader(header, path, options);
  if (format === 'png' && options.firstFrame !== true && isAnimatedPng(bytes)) throw animated(path, 'several frames');
  try {
    return await pixels(decoder.autoOrient(), header, options.alpha ?? 'drop');
  } catch (cause) {
    throw corrupt(path, format, cause);
  }
}

function decodeBmp(bytes: Uint8Array, path: string, options: DecodeOptions): RgbImage {
  try {
    const header = bmpHeader(bytes);
    checkHeader(header, path, options);
    return bmpPixels(bytes, header);
  } catch (cause) {
    if (cause instanceof TesseraError) throw cause;
    throw corrupt(path, 'bmp', cause);
  }
}

function unreadKind(path: string, got: string): TesseraError {
  return new TesseraError({
    code: 'image/format',
    message: 'this kind of image is not read',
    path,
    expected: 'samples of 8 bits, transparency beside the colours',
    got,
    remedy: 'convert the image to PNG or JPEG',
  });
}

function checkFormat(bytes: Uint8Array, path: string): Format {
  const format = sniff(bytes);
  if (format) return format;
  if (bytes.length === 0) {
    throw new TesseraError({ code: 'image/empty', message: 'the image has no bytes', path });
  }
  throw new TesseraError({
    code: 'image/format',
    message: 'this is no image in a format that is read',
    path,
    expected: 'JPEG, PNG, WebP, GIF, BMP or TIFF',
    ...insteadOf(bytes),
  });
}

/** What stands in the place of an image, and what to do about it. */
function insteadOf(bytes: Uint8Array): { readonly got: string; readonly remedy: string } {
  const head = Buffer.from(bytes.subarray(0, 512)).toString('latin1');
  const known = impostors.find(({ begins }) => begins.test(head));
  if (known) return { got: known.got, remedy: known.remedy };
  const got = `first bytes ${Buffer.from(bytes.subarray(0, 8)).toString('hex')}`;
  return { got, remedy: 'convert the image to PNG or JPEG' };
}

const impostors = [
  { begins: /^\s*<svg|^\s*<\?xml[\s\S]*<svg/i, got: 'an SVG drawing', remedy: 'draw it as PNG' },
  { begins: /^\s*<(?:!doctype|html)/i, got: 'a web page', remedy: 'download the image itself' },
  { begins: /^[\s\S]{4}ftyp(?:avif|avis)/, got: 'an AVIF image', remedy: 'convert the image to PNG or JPEG' },
  { begins: /^[\s\S]{4}ftyp(?:heic|heix|mif1)/, got: 'a HEIC image', remedy: 'convert the image to PNG or JPEG' },
];

function checkHeader(
  header: Size & Partial<Pick<Metadata, 'pages' | 'format'>>,
  path: string,
  options: DecodeOptions,
): void {
  const { width, height } = header;
  const limit = options.maxPixels ?? DEFAULT_MAX_PIXELS;
  if (!fits(width, height, limit)) {
    throw new TesseraError({
      code: 'image/too-large',
      message: 'the image has too many pixels',
      path,
      expected: `at most ${limit} pixels, ${MAX_SIDE} in a row`,
      got: `${width}x${height} = ${width * height}`,
      remedy: 'shrink the image',
    });
  }
  if ((header.pages ?? 1) > 1 && options.firstFrame !== true) {
    throw header.format === 'tiff' ? paged(path, `${header.pages} pages`) : animated(path, `${header.pages} frames`);
  }
}

function animated(path: string, got: string): TesseraError {
  return new TesseraError({
    code: 'image/animated',
    message: 'the image is an animation',
    path,
    expected: 'one frame',
    got,
    remedy: 'save one frame as PNG',
  });
}

function paged(path: string, got: string): TesseraError {
  return new TesseraError({
    code: 'image/pages',
    message: 'the file has several pages',
    path,
    expected: 'one image',
    got,
    remedy: 'save each page as an image of its own',
  });
}

/** Whether a PNG has an animation chunk before its pixels; the library would show the first frame without a word. */
function isAnimatedPng(bytes: Uint8Array): boolean {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 8; at + 8 <= view.length; at += 12 + view.readUInt32BE(at)) {
    const kind = view.toString('latin1', at + 4, at + 8);
    if (kind === 'acTL') return true;
    if (kind === 'IDAT') return false;
  }
  return false;
}

function corrupt(path: string, format: Format, cause: unknown): TesseraError {
  return new TesseraError(
    {
      code: 'image/corrupt',
      message: 'the image cannot be decoded',
      path,
      expected: `a complete ${format.toUpperCase()} file`,
      got: (cause instanceof Error ? cause.message : String(cause)).trim(),
      remedy: 'replace the file; it is damaged or cut short',
    },
    { cause },
  );
}

async function pixels(decoder: Sharp, header: Metadata, alpha: 'drop' | 'white'): Promise<RgbImage> {
  if (header.space === 'cmyk') return cmykPixels(decoder);
  const rgb = alpha === 'white' && header.hasAlpha ? decoder.ensureAlpha() : decoder.removeAlpha();
  const raw = rgb.toColourspace('srgb').raw({ depth: 'uchar' });
  const { data, info } = await raw.toBuffer({ resolveWithObject: true });
  const flat = info.channels === 4 ? onWhite(data) : new Uint8Array(data.buffer, data.byteOffset, data.length);
  return rgbImage(info.width, info.height, flat);
}

function onWhite(rgba: Uint8Array): Uint8Array {
  const out = new Uint8Array((rgba.length / 4) * 3);
  for (let i = 0; i < rgba.length / 4; i++) {
    const a = rgba[i * 4 + 3] as number;
    for (let c = 0; c < 3; c++) out[i * 3 + c] = Math.round(((rgba[i * 4 + c] as number) * a) / 255 + 255 - a);
  }
  return out;
}

/** PIL's conversion without profiles: each ink takes its share of what black leaves. */
async function cmykPixels(decoder: Sharp): Promise<RgbImage> {
  const raw = decoder.pipelineColourspace('cmyk').toColourspace('cmyk').raw();
  const { data, info } = await raw.toBuffer({ resolveWithObject: true });
  const out = new Uint8Array(info.width * info.height * 3);
  for (let i = 0; i < info.width * info.height; i++) {
    const light = 255 - (data[i * 4 + 3] as number);
    for (let c = 0; c < 3; c++) {
      out[i * 3 + c] = light - Math.round(((data[i * 4 + c] as number) * light) / 255);
    }
  }
  return rgbImage(info.width, info.height, out);
}
