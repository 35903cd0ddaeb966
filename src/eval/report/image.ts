import sharp from 'sharp';
import { asTesseraError } from '../../base/index.ts';

interface InlineImage {
  readonly uri: string;
  readonly width: number;
  readonly height: number;
}

/** Below this many pixels an image is drawn pixel by pixel and kept without loss. */
const tiny = 128;

/**
 * An image as a data URI of a few kilobytes, at most 320 pixels a side.
 * @throws TesseraError `report/picture` when the file cannot be read as an image.
 */
export async function inlineImage(path: string): Promise<InlineImage> {
  try {
    const image = sharp(path).rotate().resize(320, 320, { fit: 'inside', withoutEnlargement: true });
    const { data, info } = await image.png().toBuffer({ resolveWithObject: true });
    const [type, bytes] = info.width <= tiny ? ['png', data] : ['webp', await sharp(data).webp().toBuffer()];
    return { uri: `data:image/${type};base64,${bytes.toString('base64')}`, width: info.width, height: info.height };
  } catch (error) {
    throw asTesseraError(error, { code: 'report/picture', path, expected: 'an image file' });
  }
}

export function isTiny({ width }: InlineImage): boolean {
  return width <= tiny;
}
