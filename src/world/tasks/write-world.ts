import { mkdir, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { asTesseraError, TesseraError } from '../../base/index.ts';
import { encodePng } from '../png.ts';
import { renderScene } from '../render.ts';
import type { Scene } from '../scene.ts';
import { makeScene, scaleScene } from '../scene.ts';
import { imageName } from './coco.ts';
import type { WorldOptions, WorldRequest } from './options.ts';
import { worldOptions } from './options.ts';
import type { WorldManifest } from './read-world.ts';
import { damaged, readManifest, worldVersion } from './read-world.ts';
import { worldTaskTable } from './table.ts';
import { lines } from './writer.ts';

/** Images written between two looks at the event loop. */
const batch = 64;

/**
 * Writes scenes, their images and what is said about them into a folder, in the formats of real data:
 * `images/`, `scenes.jsonl`, `captions.json` and `alt_text.json` (COCO), `labelled_captions.jsonl`, `llava.json`,
 * `llava_text.json`, `new_words.json` and `drawing.json` (LLaVA), `vqa_questions.json` with `vqa_annotations.json` (VQAv2),
 * `pope_<split>.jsonl` (POPE), `amber_*` (AMBER), `corpus.jsonl`, `world.json`.
 * The folder appears whole or not at all. One that was written with the same options is used again.
 * @param images `later` leaves them to `writeImages`; a folder that has them keeps them
 * @param onProgress called after each batch of images and each file; what it throws ends the writing.
 * @throws TesseraError `world/option`, `world/folder-differs`, `world/folder-taken`, `world/write`
 * @example await writeWorld('data/world', { seed: 0, split: 'train', count: 5000 })
 */
export async function writeWorld(
  folder: string,
  request: WorldRequest,
  onProgress: OnProgress = () => {},
  images: 'all' | 'later' = 'all',
): Promise<WorldManifest & { readonly reused: boolean }> {
  const options = worldOptions(request);
  const known = await sameWorld(folder, options);
  if (known) {
    if (images === 'all' && known.pictures === 'later') await writeImages(folder, undefined, onProgress);
    return { ...known, reused: true };
  }
  const draft = `${folder}.partial-${process.pid}`;
  try {
    await rm(draft, { recursive: true, force: true });
    const manifest = await fill(draft, options, onProgress, images);
    await mkdir(dirname(folder), { recursive: true });
    await rmdir(folder).catch(() => {});
    await rename(draft, folder);
    return { ...manifest, reused: false };
  } catch (error) {
    throw isRefusal(error)
      ? asTesseraError(error, { code: 'world/write', path: folder, remedy: 'check free space and permissions' })
      : error;
  } finally {
    // A second failure must not hide the first.
    await rm(draft, { recursive: true, force: true }).catch(() => {});
  }
}

/** Whether the system refused a call; anything else is a defect, or the caller's wish to stop. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

/** The manifest of a folder that holds this very world; undefined when the folder is free. */
async function sameWorld(folder: string, options: WorldOptions): Promise<WorldManifest | undefined> {
  const entries = await list(folder);
  if (entries.length === 0) return undefined;
  if (!entries.includes('world.json')) {
    throw new TesseraError({
      code: 'world/folder-taken',
      message: 'the folder holds something that is no tabletop world',
      path: folder,
      expected: 'a new or empty folder, or one with a world.json',
      got: entries.slice(0, 5).join(', '),
      remedy: 'choose another folder',
    });
  }
  const manifest = await readManifest(folder);
  const [there, wanted] = [manifest.options, options].map((o) => JSON.stringify(sorted(o)));
  if (manifest.version === worldVersion && there === wanted) {
    await checkComplete(folder, manifest, entries);
    return manifest;
  }
  throw new TesseraError({
    code: 'world/folder-differs',
    message: 'the folder holds another tabletop world',
    path: folder,
    expected: `version ${worldVersion}, ${wanted}`,
    got: `version ${manifest.version}, ${there}`,
    remedy: 'remove the folder or choose another',
  });
}

/** Names in a folder; none when there is no such folder. */
async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    const got = (error as Error).message;
    const message = 'the folder cannot be read';
    throw new TesseraError(
      { code: 'world/folder-taken', message, path: folder, got, remedy: 'choose another' },
      { cause: error },
    );
  }
}

/** @throws TesseraError `world/damaged` when a file that the manifest names has gone */
async function checkComplete(folder: string, manifest: WorldManifest, entries: readonly string[]): Promise<void> {
  const missing = Object.keys(manifest.files).filter((name) => !entries.includes(name));
  const images = (await list(join(folder, 'images'))).length;
  if (missing.length === 0 && (manifest.pictures === 'later' || images === manifest.options.count)) return;
  const got = missing.length > 0 ? `no ${missing.join(', ')}` : `${images} images for ${manifest.options.count} scenes`;
  throw damaged(folder, got);
}

/** The same value with the keys of its objects in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, v]) => [key, sorted(v)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

type OnProgress = (done: number, total: number) => void;

function sceneOf({ seed, split, scene, size }: WorldOptions, index: number): Scene {
  return scaleScene(makeScene(seed, split, index, scene), size);
}

/**
 * Writes images that a world was left without; those that are there stay.
 * @param names their files; all when absent. A world that was written with its images needs none.
 * @throws TesseraError `world/unreadable`, `world/damaged`, `world/write`
 */
export async function writeImages(
  folder: string,
  names: Iterable<string> | undefined,
  onProgress: OnProgress = () => {},
): Promise<void> {
  const { options, pictures } = await readManifest(folder);
  if (pictures !== 'later') return;
  const there = new Set(await list(join(folder, 'images')));
  const indices = names ? [...names].map((name) => Number.parseInt(name, 10)) : [...Array(options.count).keys()];
  const scenes = [...new Set(indices)].filter((index) => index < options.count).map((index) => sceneOf(options, index));
  const missing = scenes.filter((scene) => !there.has(imageName(scene)));
  try {
    for (let at = 0; at < missing.length; at += batch) {
      await Promise.all(missing.slice(at, at + batch).map((scene) => writeImage(folder, scene)));
      onProgress(Math.min(at + batch, missing.length), missing.length);
    }
  } catch (error) {
    throw isRefusal(error)
      ? asTesseraError(error, { code: 'world/write', path: folder, remedy: 'check free space and permissions' })
      : error;
  }
}

/** An image appears whole or not at all. */
async function writeImage(folder: string, scene: Scene): Promise<void> {
  const path = join(folder, 'images', imageName(scene));
  const draft = join(folder, `${imageName(scene)}.partial-${process.pid}`);
  await writeFile(draft, encodePng(renderScene(scene)));
  await rename(draft, path);
}

async function fill(
  folder: string,
  options: WorldOptions,
  onProgress: OnProgress,
  images: 'all' | 'later',
): Promise<WorldManifest> {
  await mkdir(join(folder, 'images'), { recursive: true });
  const scenes: Scene[] = [];
  while (scenes.length < options.count) {
    const more = Array.from({ length: Math.min(batch, options.count - scenes.length) }, (_, i) =>
      sceneOf(options, scenes.length + i),
    );
    if (images === 'all')
      await Promise.all(
        more.map((scene) => writeFile(join(folder, 'images', imageName(scene)), encodePng(renderScene(scene)))),
      );
    scenes.push(...more);
    onProgress(scenes.length, options.count);
  }
  const files: Record<string, number> = {};
  const writers = options.tasks.map((task) => worldTaskTable[task].write);
  for (const write of [() => ({ 'scenes.jsonl': lines(scenes) }), ...writers]) {
    for (const [name, { text, rows }] of Object.entries(write(scenes, options))) {
      await writeFile(join(folder, name), text);
      files[name] = rows;
      onProgress(scenes.length, options.count);
    }
  }
  const manifest: WorldManifest = {
    format: 'tessera-world',
    version: worldVersion,
    options,
    files,
    ...(images === 'later' && { pictures: images }),
  };
  await writeFile(join(folder, 'world.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}
