import sharp from 'sharp';
import { asTesseraError } from '../../base/index.ts';

interface InlinePicture {
  readonly uri: string;
  readonly width: number;
  readonly height: number;
}

/** Below this many pixels a picture is drawn pixel by pixel and kept without loss. */
const tiny = 128;

/**
 * A picture as a data URI of a few kilobytes, at most 320 pixels a side.
 * @throws TesseraError `report/picture` when the file cannot be read as a picture.
 */
export async function inlinePicture(path: string): Promise<InlinePicture> {
  try {
    const image = sharp(path).rotate().resize(320, 320, { fit: 'inside', withoutEnlargement: true });
    const { data, info } = await image.png().toBuffer({ resolveWithObject: true });
    const [type, bytes] = info.width <= tiny ? ['png', data] : ['webp', await sharp(data).webp().toBuffer()];
    return { uri: `data:image/${type};base64,${bytes.toString('base64')}`, width: info.width, height: info.height };
  } catch (error) {
    throw asTesseraError(error, { code: 'report/picture', path, expected: 'a picture file' });
  }
}

export function isTiny({ width }: InlinePicture): boolean {
  return width <= tiny;
}
