import { readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { asTesseraError, type Fault, TesseraError } from '../base/index.ts';
import { type ImageMedia, joinMedia, mediaLoader, type Processor } from '../data/index.ts';
import { lookUp } from '../files/index.ts';

/**
 * The images of a folder and of those in it, also where they are linked, by the endings of their names, in the order of names.
 * @throws TesseraError `retrieve/folder`, `retrieve/no-images`
 */
export function imagesIn(folder: string): string[] {
  const found = filesIn(folder)
    .filter((name) => /\.(png|jpe?g|webp|gif|bmp|tiff?)$/i.test(name))
    .sort();
  if (found.length > 0) return found.map((name) => join(folder, name));
  throw new TesseraError({
    code: 'retrieve/no-images',
    message: 'the folder holds no images',
    path: folder,
    expected: 'PNG, JPEG, WebP, GIF, BMP or TIFF files',
    remedy: 'name another folder; images are known by the endings of their names',
  });
}

function filesIn(folder: string): string[] {
  const kind = lookUp(folder)?.kind;
  if (kind !== 'folder') {
    throw new TesseraError({
      code: 'retrieve/folder',
      message: kind === undefined ? 'there is no such folder of images' : 'the folder of images is no folder',
      path: folder,
      expected: 'a folder of images',
      got: kind === undefined ? 'nothing' : `a ${kind}`,
      remedy: kind === undefined ? 'check the path' : 'name the folder that the images are in',
    });
  }
  try {
    return walk(folder);
  } catch (error) {
    const remedy = 'allow reading it, or name another folder';
    throw asTesseraError(error, { code: 'retrieve/folder', path: folder, expected: 'a folder of images', remedy });
  }
}

/** The files below a folder. Each folder is gone through once, by its own place before any link to it. */
function walk(root: string): string[] {
  const files: string[] = [];
  const seen = new Set<string>();
  let links: string[] = [];
  const enter = (folder: string) => {
    const real = realpathSync(join(root, folder));
    if (seen.has(real)) return;
    seen.add(real);
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const name = join(folder, entry.name);
      if (entry.isDirectory()) enter(name);
      else if (entry.isSymbolicLink() && lookUp(join(root, name))?.kind === 'folder') links.push(name);
      else files.push(name);
    }
  };
  enter('');
  while (links.length > 0) {
    const found = links.sort();
    links = [];
    found.forEach(enter);
  }
  return files;
}

/** Images of a batch: those that could be read, as feeds and by their places, and why the others could not. */
export interface ReadImages {
  readonly places: readonly number[];
  readonly feeds: ReturnType<typeof joinMedia>;
  readonly unread: readonly { readonly place: number; readonly fault: Fault }[];
}

/** Reads images batch by batch; the next is read while the one before is looked at. */
export function imageReader(processor: Processor) {
  const loader = mediaLoader();
  const one = async (path: string) => {
    const media: ImageMedia = { kind: 'image', path };
    const plan = processor.plan?.(media, () => []);
    const [values] = await loader.load(plan ? [{ media, plan }] : []);
    return values ?? {};
  };
  const read = async (paths: readonly string[], places: readonly number[]): Promise<ReadImages> => {
    const outcomes = await Promise.allSettled(places.map((place) => one(paths[place] as string)));
    const good = places.filter((_, i) => outcomes[i]?.status === 'fulfilled');
    const values = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    const unread = places.flatMap((place, i) => {
      const outcome = outcomes[i];
      if (outcome?.status !== 'rejected') return [];
      return [
        {
          place,
          fault: asTesseraError(outcome.reason, { code: 'image/unreadable', path: paths[place] as string }).toJSON(),
        },
      ];
    });
    return { places: good, feeds: joinMedia([values], processor), unread };
  };
  return async function* (
    paths: readonly string[],
    wanted: readonly number[],
    batch: number,
  ): AsyncGenerator<ReadImages> {
    const batches = chunks(wanted, batch);
    let next = read(paths, batches[0] ?? []);
    for (const [i] of batches.entries()) {
      const current = await next;
      next = read(paths, batches[i + 1] ?? []);
      yield current;
    }
  };
}

export function chunks<T>(list: readonly T[], size: number): (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}
