import { mediaKey } from './media.ts';
import type { MediaSpan } from './processor.ts';

/** The media of some rows without those that a sample shows again. */
export interface MediaOnce {
  /** Of all media in reading order, the places of those that are read. */
  readonly read: readonly number[];
  /** For each of all media, its place among those that are read. */
  readonly shown: readonly number[];
}

/**
 * Finds what the rows of a sample show in common, such as the image of two answers.
 * @param rows what each row shows, those of a sample one after another
 * @param views rows of a sample
 */
export function mediaOnce(rows: readonly (readonly Pick<MediaSpan, 'media'>[])[], views: number): MediaOnce {
  const read: number[] = [];
  const shown: number[] = [];
  let known = new Map<string, number>();
  for (const [r, row] of rows.entries()) {
    if (r % views === 0) known = new Map();
    for (const { media } of row) {
      const key = mediaKey(media);
      const place = known.get(key) ?? read.push(shown.length) - 1;
      known.set(key, place);
      shown.push(place);
    }
  }
  return { read, shown };
}
