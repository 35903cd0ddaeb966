import { basename, join } from 'node:path';
import { TesseraError } from '../base/index.ts';
import { type WorldRequest, worldOptions, worldVersion, writeImages, writeWorld } from '../world/index.ts';
import { digestOf } from './digest.ts';
import type { Hooks } from './types.ts';

/** Where is kept what was made once of data: worlds, and the images of files that hold them. */
export function dataCache(): string {
  return process.env.TESSERA_CACHE ?? join('.cache', 'tessera');
}

/**
 * Writes a world unless the cache has it; its folder. Worlds of another version stay beside it, for those who are on that.
 * @param images `later` leaves them to `writeImages`
 * @throws TesseraError `data/stopped`; nothing of an unfinished world is left.
 */
export async function cachedWorld(
  request: WorldRequest,
  hooks: Hooks,
  images: 'all' | 'later' = 'all',
): Promise<string> {
  const key = digestOf([worldVersion, worldOptions(request)]).slice(0, 12);
  const folder = join(dataCache(), `world-${request.split}-${request.count}-${key}`);
  const progress = (done: number, total: number) => {
    refuseStopped(hooks);
    hooks.progress({ label: `tabletop ${request.split}`, done, total, unit: 'scenes', numbers: {} });
  };
  await writeWorld(folder, request, progress, images);
  return folder;
}

/** Draws images of a world that was written without them, as far as they are missing. */
export async function drawImages(folder: string, paths: Iterable<string>, hooks: Hooks): Promise<void> {
  await writeImages(
    folder,
    [...paths].map((path) => basename(path)),
    (done, total) => {
      refuseStopped(hooks);
      hooks.progress({ label: 'images', done, total, unit: 'scenes', numbers: {} });
    },
  );
}

/** @throws TesseraError `data/stopped` once the caller wants no more */
export function refuseStopped({ signal }: Hooks): void {
  if (signal.aborted) throw new TesseraError({ code: 'data/stopped', message: 'stopped while making data ready' });
}
