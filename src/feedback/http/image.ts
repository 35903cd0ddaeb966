import type { Fault } from '../../base/index.ts';
import { imageType, imageTypes } from '../../data/index.ts';
import { readBytes } from '../../files/index.ts';

/** An image as the `data:` URI that servers take, or why there is none. */
export function imageUri(path: string): string | { readonly refused: Fault } {
  if (/^data:/i.test(path)) return path;
  const bytes = readBytes(path, { code: 'feedback/image' });
  const type = imageType(bytes);
  if (type !== undefined) return `data:image/${type};base64,${Buffer.from(bytes).toString('base64')}`;
  return {
    refused: {
      code: 'feedback/image',
      message: 'servers do not take images of this type',
      path,
      expected: imageTypes.map((name) => `image/${name}`).join(', '),
      remedy: 'convert it to PNG',
    },
  };
}
