import { formatShape, sameShape, type Tensor, TesseraError } from '../base/index.ts';
import type { ImageRef } from './formats/row.ts';
import { decodeImage, type ImageProcessor, processImage } from './image/index.ts';

export interface PixelLoader {
  /** Normalised pictures in the given order, `[N, 3, H, W]`. */
  load(images: readonly ImageRef[]): Promise<Tensor<'float32'>>;
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
  /** Pictures kept and pictures under way, the oldest first. */
  const known = new Map<string, Promise<Tensor<'float32'>>>();
  const kept = new Map<string, number>();
  let bytes = 0;
  const read = async (path: string): Promise<Tensor<'float32'>> => {
    const picture = processImage(await decodeImage(path), processor);
    kept.set(path, picture.data.byteLength);
    bytes += picture.data.byteLength;
    for (const [oldest, size] of kept) {
      if (bytes <= limit) break;
      kept.delete(oldest);
      known.delete(oldest);
      bytes -= size;
    }
    return picture;
  };
  const one = ({ path }: ImageRef): Promise<Tensor<'float32'>> => {
    const found = known.get(path);
    if (found) return found;
    const reading = read(path);
    known.set(path, reading);
    // One that could not be read may be there the next time.
    reading.catch(() => known.delete(path));
    return reading;
  };
  return { load: async (images) => stack(await Promise.all(images.map(one)), images) };
}

function stack(pictures: readonly Tensor<'float32'>[], images: readonly ImageRef[]): Tensor<'float32'> {
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
