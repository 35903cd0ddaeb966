import { formatShape, sameShape, type Tensor, TesseraError } from '../base/index.ts';
import { decodeImage, type ImageProcessor, processImage } from './image/index.ts';
import type { ImageMedia } from './row.ts';

export interface PixelLoader {
  /** Normalised pictures in the given order, `[N, 3, H, W]`. */
  load(images: readonly ImageMedia[]): Promise<Tensor<'float32'>>;
}

/** What a loader keeps when nothing else is asked. */
export const pictureCacheBytes = 512 * 2 ** 20;

export interface PixelLoaderOptions {
  /** Keep decoded pictures up to this many bytes; the oldest go first. */
  readonly cacheBytes?: number;
}

/** Reads, prepares and stacks pictures; pictures that come again are kept. */
export function pixelLoader(processor: ImageProcessor, options: PixelLoaderOptions = {}): PixelLoader {
  const limit = options.cacheBytes ?? pictureCacheBytes;
  /** Pictures kept and pictures under way, in the order in which they were first asked for. */
  const known = new Map<string, { readonly picture: Promise<Tensor<'float32'>>; bytes: number }>();
  let bytes = 0;
  const one = (image: ImageMedia): Promise<Tensor<'float32'>> => {
    const key = `${image.path}\n${image.change ?? ''}`;
    const found = known.get(key);
    if (found) return found.picture;
    const entry = { picture: read(image, processor), bytes: 0 };
    known.set(key, entry);
    entry.picture.then(
      ({ data }) => {
        entry.bytes = data.byteLength;
        bytes += data.byteLength;
        forgetOldest();
      },
      // One that could not be read may be there the next time.
      () => known.delete(key),
    );
    return entry.picture;
  };
  const forgetOldest = () => {
    for (const [key, old] of known) {
      if (bytes <= limit) return;
      if (old.bytes === 0) continue;
      known.delete(key);
      bytes -= old.bytes;
    }
  };
  return { load: async (images) => stack(await Promise.all(images.map(one)), images) };
}

async function read({ path, change }: ImageMedia, processor: ImageProcessor): Promise<Tensor<'float32'>> {
  if (change !== undefined) unknownChange(path, change);
  return processImage(await decodeImage(path), processor);
}

function unknownChange(path: string, change: string): never {
  throw new TesseraError({ code: 'image/change', message: 'nobody knows this change of an image', path, got: change });
}

function stack(pictures: readonly Tensor<'float32'>[], images: readonly ImageMedia[]): Tensor<'float32'> {
  const shape = pictures[0]?.shape ?? [3, 0, 0];
  const odd = pictures.findIndex((picture) => !sameShape(picture.shape, shape));
  if (odd >= 0) {
    throw new TesseraError({
      code: 'image/batch-size',
      message: 'pictures of one batch have different sizes after preparation',
      path: images[odd]?.path ?? '',
      expected: formatShape(shape),
      got: formatShape(pictures[odd]?.shape ?? []),
      remedy: 'use a processor that crops or pads to one size',
    });
  }
  const size = shape.reduce((n, d) => n * d, 1);
  const data = new Float32Array(pictures.length * size);
  pictures.forEach((picture, i) => {
    data.set(picture.data, i * size);
  });
  return { dtype: 'float32', shape: [pictures.length, ...shape], data };
}
