import { TesseraError } from '../base/index.ts';
import type { ImageMedia, Row } from './row.ts';

/**
 * The media of a row, for a system that takes nothing but images.
 * @throws TesseraError `row/media`, which names what the system does not take
 */
export function imagesOf({ media, turns }: Row): readonly ImageMedia[] {
  const boxed = turns.findIndex(({ parts }) => parts.some(({ type }) => type === 'boxes'));
  if (boxed >= 0) notTaken('boxes', `boxes in turn ${boxed + 1}`);
  return media.map((one, i) =>
    one.kind === 'image' ? one : notTaken(`${one.kind}s`, `medium ${i + 1} of ${media.length} is a ${one.kind}`),
  );
}

function notTaken(what: string, got: string): never {
  throw new TesseraError({
    code: 'row/media',
    message: `the system takes no ${what}`,
    expected: 'images and text',
    got,
    remedy: 'take the row out, or train a system that takes such rows',
  });
}
