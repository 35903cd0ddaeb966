import { TesseraError } from '../../base/index.ts';
import type { Size } from './rgb.ts';
import { type ImageSource, sourceBytesNow, sourceName } from './source.ts';

/**
 * The size of a PNG or JPEG as it is shown, upright by its EXIF orientation, from its header alone.
 * @throws TesseraError `image/size` for other formats, and as `decodeImage` for files that cannot be read
 */
export function imageSize(source: ImageSource): Size {
  const bytes = sourceBytesNow(source);
  const size = pngSize(bytes) ?? jpegSize(bytes);
  if (size) return size;
  throw new TesseraError({
    code: 'image/size',
    message: 'the size of the image cannot be read from its header',
    path: sourceName(source),
    expected: 'a PNG or JPEG',
    remedy: 'convert the image to PNG',
  });
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function pngSize(bytes: Uint8Array): Size | undefined {
  if (bytes.length < 24 || view(bytes).getUint32(0) !== 0x89504e47) return undefined;
  const data = view(bytes);
  const [width, height] = [data.getUint32(16), data.getUint32(20)];
  return exifOfPng(bytes, data) >= 5 ? { width: height, height: width } : { width, height };
}

function exifOfPng(bytes: Uint8Array, data: DataView): number {
  for (let at = 8; at + 12 <= bytes.length; at += 12 + data.getUint32(at)) {
    if (data.getUint32(at + 4) !== 0x65584966) continue;
    return orientation(bytes.subarray(at + 8, at + 8 + data.getUint32(at)));
  }
  return 1;
}

/** Frame headers are the markers C0 to CF but for the tables C4, C8 and CC. */
const isFrame = (marker: number) => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

function jpegSize(bytes: Uint8Array): Size | undefined {
  if (bytes.length < 4 || view(bytes).getUint16(0) !== 0xffd8) return undefined;
  const data = view(bytes);
  let turned = false;
  for (let at = 2; at + 9 < bytes.length; ) {
    if (data.getUint8(at) !== 0xff) return undefined;
    const marker = data.getUint8(at + 1);
    if (isFrame(marker)) {
      const [height, width] = [data.getUint16(at + 5), data.getUint16(at + 7)];
      return turned ? { width: height, height: width } : { width, height };
    }
    const length = data.getUint16(at + 2);
    const named = marker === 0xe1 && bytes.length >= at + 10 && data.getUint32(at + 4) === 0x45786966;
    if (named) turned = orientation(bytes.subarray(at + 10, at + 2 + length)) >= 5;
    at += 2 + length;
  }
  return undefined;
}

/** EXIF tag 0x0112 of the first directory; 5 to 8 turn the image by a quarter. */
function orientation(exif: Uint8Array): number {
  if (exif.length < 8) return 1;
  const tiff = view(exif);
  const little = tiff.getUint16(0) === 0x4949;
  const first = tiff.getUint32(4, little);
  if (first + 2 > tiff.byteLength) return 1;
  const count = tiff.getUint16(first, little);
  for (let i = 0, at = first + 2; i < count && at + 12 <= tiff.byteLength; i++, at += 12) {
    if (tiff.getUint16(at, little) === 0x0112) return tiff.getUint16(at + 8, little);
  }
  return 1;
}
