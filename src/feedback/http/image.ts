import type { Fault } from '../../base/index.ts';
import { readBytes } from '../../files/index.ts';

/** How the bytes of the types begin that servers take, in Latin-1. */
const types: readonly (readonly [type: string, begins: RegExp])[] = [
  ['image/png', /^\x89PNG/],
  ['image/jpeg', /^\xff\xd8\xff/],
  ['image/webp', /^RIFF[\s\S]{4}WEBP/],
  ['image/gif', /^GIF8/],
];

/** An image as the `data:` URI that servers take, or why there is none. */
export function imageUri(path: string): string | { readonly refused: Fault } {
  if (/^data:/i.test(path)) return path;
  const bytes = Buffer.from(readBytes(path, { code: 'feedback/image' }));
  const head = bytes.toString('latin1', 0, 12);
  const [type] = types.find(([, begins]) => begins.test(head)) ?? [];
  if (type !== undefined) return `data:${type};base64,${bytes.toString('base64')}`;
  return {
    refused: {
      code: 'feedback/image',
      message: 'servers do not take images of this type',
      path,
      expected: types.map(([name]) => name).join(', '),
      remedy: 'convert it to PNG',
    },
  };
}
