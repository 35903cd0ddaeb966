import { TesseraError } from '../base/index.ts';
import type { ImageMedia, Media } from './row.ts';

/**
 * A medium as an image, for a system that takes nothing else.
 * @throws TesseraError `row/media`, which names what the system does not take
 */
export function imageOf(media: Media): ImageMedia {
  return media.kind === 'image' ? media : mediaNotTaken(`${media.kind}s`);
}

/** @throws TesseraError `row/media` */
export function mediaNotTaken(what: string): never {
  throw new TesseraError({
    code: 'row/media',
    message: `the system takes no ${what}`,
    expected: 'what the system takes, such as images and text',
    got: what,
    remedy: 'take the row out, or train a system that takes such rows',
  });
}

/** Paths of the images that a medium is read from: itself, or its frames; none for a region. */
export function mediaPaths(media: Media): readonly string[] {
  if (media.kind === 'image') return [media.path];
  return media.kind === 'video' ? media.frames : [];
}

/** A fault of a medium's image, named by where it stands. */
export function placed(error: unknown, media: Media): unknown {
  const inside = media.kind === 'image' ? media.inside : undefined;
  if (inside === undefined || !(error instanceof TesseraError)) return error;
  return new TesseraError({ ...error.toJSON(), path: inside }, { cause: error.cause });
}

/** Text that tells a medium from every other. */
export function mediaKey(media: Media): string {
  return media.kind === 'image' && media.change === undefined ? media.path : JSON.stringify(media);
}
