import type { Named, Tensor } from '../base/index.ts';
import { cropAndStretch, decodeImage, type RgbImage } from './image/index.ts';
import { mediaKey, mediaPaths, placed } from './media.ts';
import type { MediaSpan } from './processor.ts';
import type { Media } from './row.ts';

export interface MediaLoader {
  /** What each medium is read as, in the given order. */
  load(media: readonly Pick<MediaSpan, 'media' | 'plan'>[]): Promise<readonly Named<Tensor>[]>;
}

/** What a loader keeps when nothing else is asked. */
export const mediaCacheBytes = 512 * 2 ** 20;

export interface MediaLoaderOptions {
  /** Keep what was read up to this many bytes; the oldest go first. */
  readonly cacheBytes?: number;
}

/** Reads and prepares media for one processor; those that come again are kept. */
export function mediaLoader(options: MediaLoaderOptions = {}): MediaLoader {
  const limit = options.cacheBytes ?? mediaCacheBytes;
  /** Media kept and media under way, in the order in which they were first asked for. */
  const known = new Map<string, { readonly values: Promise<Named<Tensor>>; bytes: number }>();
  let bytes = 0;
  const one = ({ media, plan }: Pick<MediaSpan, 'media' | 'plan'>): Promise<Named<Tensor>> => {
    const key = mediaKey(media);
    const found = known.get(key);
    if (found) return found.values;
    const entry = { values: imagesOf(media).then((images) => plan.read(images)), bytes: 0 };
    known.set(key, entry);
    entry.values.then(
      (values) => {
        entry.bytes = Object.values(values).reduce((n, { data }) => n + data.byteLength, 0);
        bytes += entry.bytes;
        forgetOldest();
      },
      // One that could not be read may be there the next time.
      () => known.delete(key),
    );
    return entry.values;
  };
  const forgetOldest = () => {
    for (const [key, old] of known) {
      if (bytes <= limit) return;
      if (old.bytes === 0) continue;
      known.delete(key);
      bytes -= old.bytes;
    }
  };
  return { load: (media) => Promise.all(media.map(one)) };
}

async function imagesOf(media: Media): Promise<readonly RgbImage[]> {
  const decoded = Promise.all(mediaPaths(media).map((path) => decodeImage(path)));
  const images = await decoded.catch((error: unknown) => {
    throw placed(error, media);
  });
  const change = media.kind === 'image' ? media.change : undefined;
  return change ? images.map((image) => cropAndStretch(image, change.crop)) : images;
}
