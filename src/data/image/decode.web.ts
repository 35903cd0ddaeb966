import { asTesseraError, TesseraError } from '../../base/index.ts';
import type * as node from './decode.ts';
import { rgbImage } from './rgb.ts';

interface Bitmap {
  readonly width: number;
  readonly height: number;
  close(): void;
}
interface Context {
  drawImage(image: Bitmap, x: number, y: number): void;
  getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray };
}
declare const createImageBitmap: (blob: Blob, options: Readonly<Record<string, string>>) => Promise<Bitmap>;
declare const OffscreenCanvas: new (width: number, height: number) => { getContext(kind: '2d'): Context };

export type { DecodeOptions } from './decode.ts';

const DEFAULT_MAX_PIXELS = 178_956_970;

/**
 * Decodes an image by the browser: its bytes, or what a URL gives. Of an animation it is the first frame.
 * @throws TesseraError `image/missing`, `image/corrupt`, `image/too-large`; `image/transparent`, since a canvas does not
 *   keep the colours of what is transparent
 */
export const decodeImage: typeof node.decodeImage = async (source, options = {}) => {
  const path = source instanceof Uint8Array ? '(bytes in memory)' : source.toString().slice(0, 120);
  const bitmap = await bitmapOf(source, path);
  try {
    const { width, height } = bitmap;
    checkPixels(width * height, options.maxPixels ?? DEFAULT_MAX_PIXELS, path);
    const context = new OffscreenCanvas(width, height).getContext('2d');
    context.drawImage(bitmap, 0, 0);
    return rgbImage(width, height, opaque(context.getImageData(0, 0, width, height).data, path));
  } finally {
    bitmap.close();
  }
};

async function bitmapOf(source: string | URL | Uint8Array, path: string): Promise<Bitmap> {
  const blob =
    source instanceof Uint8Array ? new Blob([source as Uint8Array<ArrayBuffer>]) : await fetched(source, path);
  try {
    return await createImageBitmap(blob, { colorSpaceConversion: 'none', imageOrientation: 'from-image' });
  } catch (error) {
    throw asTesseraError(error, { code: 'image/corrupt', path, expected: 'an image that the browser can decode' });
  }
}

async function fetched(url: string | URL, path: string): Promise<Blob> {
  const answer = await fetch(url);
  if (answer.ok) return answer.blob();
  const got = `${answer.status} ${answer.statusText}`;
  throw new TesseraError({ code: 'image/missing', message: 'the image cannot be fetched', path, got });
}

function checkPixels(pixels: number, limit: number, path: string): void {
  if (pixels <= limit) return;
  const [expected, got] = [`at most ${limit} pixels`, `${pixels}`];
  throw new TesseraError({ code: 'image/too-large', message: 'the image has too many pixels', path, expected, got });
}

function opaque(rgba: Uint8ClampedArray, path: string): Uint8Array {
  const out = new Uint8Array((rgba.length / 4) * 3);
  for (let i = 0; i < rgba.length / 4; i++) {
    if (rgba[i * 4 + 3] !== 255) {
      throw new TesseraError({
        code: 'image/transparent',
        message: 'the image is transparent in places',
        path,
        remedy: 'save it without transparency',
      });
    }
    for (let c = 0; c < 3; c++) out[i * 3 + c] = rgba[i * 4 + c] as number;
  }
  return out;
}
