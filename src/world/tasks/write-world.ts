import { mkdir, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { asTesseraError, Random, TesseraError } from '../../base/index.ts';
import { altText, captions } from '../language/captions.ts';
import { encodePng } from '../png.ts';
import { renderScene } from '../render.ts';
import type { Scene } from '../scene.ts';
import { makeScene, scaleScene, shapesOf } from '../scene.ts';
import { cocoCaptions, imageName } from './coco.ts';
import { corpusTexts } from './corpus.ts';
import { llavaRows, llavaTextRow } from './llava.ts';
import type { WorldOptions, WorldRequest, WorldTask } from './options.ts';
import { worldOptions } from './options.ts';
import { popeQuestions, popeSplits, selectPopeImages } from './pope.ts';
import type { WorldManifest } from './read-world.ts';
import { damaged, readManifest, worldVersion } from './read-world.ts';
import { vqaItems } from './vqa.ts';

/** A file's text and its number of rows. */
interface Written {
  readonly text: string;
  readonly rows: number;
}

type Writer = (scenes: readonly Scene[], options: WorldOptions) => Readonly<Record<string, Written>>;

/** Pictures written between two looks at the event loop. */
const batch = 64;

/**
 * Writes scenes, their pictures and what is said about them into a folder, in the formats of real data:
 * `images/`, `scenes.jsonl`, `captions.json` and `alt_text.json` (COCO), `llava.json` and `llava_text.json` (LLaVA),
 * `vqa_questions.json` with `vqa_annotations.json` (VQAv2), `pope_<split>.jsonl` (POPE), `corpus.jsonl`, `world.json`.
 * The folder appears whole or not at all. One that was written with the same options is used again.
 * @param onProgress called after each batch of pictures and each file; what it throws ends the writing.
 * @throws TesseraError `world/option`, `world/folder-differs`, `world/folder-taken`, `world/write`
 * @example await writeWorld('data/world', { seed: 0, split: 'train', count: 5000 })
 */
export async function writeWorld(
  folder: string,
  request: WorldRequest,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<WorldManifest & { readonly reused: boolean }> {
  const options = worldOptions(request);
  const known = await sameWorld(folder, options);
  if (known) return { ...known, reused: true };
  const draft = `${folder}.partial-${process.pid}`;
  try {
    await rm(draft, { recursive: true, force: true });
    const manifest = await fill(draft, options, onProgress);
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
  const pictures = (await list(join(folder, 'images'))).length;
  if (missing.length === 0 && pictures === manifest.options.count) return;
  const got =
    missing.length > 0 ? `no ${missing.join(', ')}` : `${pictures} pictures for ${manifest.options.count} scenes`;
  throw damaged(folder, got);
}

/** The same value with the keys of its objects in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, v]) => [key, sorted(v)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function fill(
  folder: string,
  options: WorldOptions,
  onProgress: (done: number, total: number) => void,
): Promise<WorldManifest> {
  await mkdir(join(folder, 'images'), { recursive: true });
  const scenes: Scene[] = [];
  while (scenes.length < options.count) {
    const more = Array.from({ length: Math.min(batch, options.count - scenes.length) }, (_, i) =>
      scaleScene(makeScene(options.seed, options.split, scenes.length + i, options.scene), options.size),
    );
    await Promise.all(
      more.map((scene) => writeFile(join(folder, 'images', imageName(scene)), encodePng(renderScene(scene)))),
    );
    scenes.push(...more);
    onProgress(scenes.length, options.count);
  }
  const files: Record<string, number> = {};
  const parts = [writeScenes, ...options.tasks.map((task) => writers[task])];
  for (const part of parts) {
    for (const [name, { text, rows }] of Object.entries(part(scenes, options))) {
      await writeFile(join(folder, name), text);
      files[name] = rows;
      onProgress(scenes.length, options.count);
    }
  }
  const manifest: WorldManifest = { format: 'tessera-world', version: worldVersion, options, files };
  await writeFile(join(folder, 'world.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

/** A stream for one task and scene, so that no task's choices move another's. */
function stream({ seed, split }: WorldOptions, task: WorldTask, scene: Scene | 'all'): Random {
  return new Random(seed, 'world', split, scene === 'all' ? scene : scene.image_id, task);
}

const lines = (rows: readonly unknown[]): Written => ({
  text: rows.map((row) => `${JSON.stringify(row)}\n`).join(''),
  rows: rows.length,
});

/** A JSON list with a line for each row, which people and diffs can read. */
const listText = (rows: readonly unknown[]): string => `[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]`;

const jsonList = (rows: readonly unknown[]): Written => ({ text: `${listText(rows)}\n`, rows: rows.length });

const writeScenes: Writer = (scenes) => ({ 'scenes.jsonl': lines(scenes) });

function writeCaptions(scenes: readonly Scene[], captionsOf: readonly string[][]): Written {
  const { images, annotations } = cocoCaptions(scenes, captionsOf);
  const text = `{"images":${listText(images)},\n"annotations":${listText(annotations)}}\n`;
  return { text, rows: annotations.length };
}

const writers: { readonly [T in WorldTask]: Writer } = {
  captions: (scenes, options) => {
    const captionsOf = scenes.map((s) => captions(s, options.captionsPerImage, stream(options, 'captions', s)));
    return { 'captions.json': writeCaptions(scenes, captionsOf) };
  },
  'alt-text': (scenes, options) => {
    const texts = scenes.map((s) => [altText(s, options.altTextNoise, stream(options, 'alt-text', s))]);
    return { 'alt_text.json': writeCaptions(scenes, texts) };
  },
  instructions: (scenes, options) => {
    const { instructions, conversation } = options;
    const rows = scenes.flatMap((s) => llavaRows(s, instructions, conversation, stream(options, 'instructions', s)));
    return { 'llava.json': jsonList(rows) };
  },
  'text-instructions': (scenes, options) => {
    const rows = scenes.flatMap((s) => llavaTextRow(s, options.conversation, stream(options, 'text-instructions', s)));
    return { 'llava_text.json': jsonList(rows) };
  },
  vqa: (scenes, options) => {
    const { questionsPerImage, annotatorNoise } = options;
    const items = scenes.flatMap((s) => vqaItems(s, questionsPerImage, annotatorNoise, stream(options, 'vqa', s)));
    const questions = listText(items.map((item) => item.question));
    const annotations = listText(items.map((item) => item.annotation));
    return {
      'vqa_questions.json': { text: `{"questions":${questions}}\n`, rows: items.length },
      'vqa_annotations.json': { text: `{"annotations":${annotations}}\n`, rows: items.length },
    };
  },
  pope: (scenes, options) => {
    const random = stream(options, 'pope', 'all');
    const images = scenes.map((scene) => ({ image: imageName(scene), objects: shapesOf(scene) }));
    const selected = selectPopeImages(images, options.popeImages, random);
    const files = popeSplits.map((split) => [`pope_${split}.jsonl`, lines(popeQuestions(selected, split, random))]);
    return Object.fromEntries(files) as Record<string, Written>;
  },
  corpus: (scenes, options) => {
    const texts = scenes.flatMap((s) => corpusTexts(s, options.conversation, stream(options, 'corpus', s)));
    return { 'corpus.jsonl': lines(texts.map((text) => ({ text }))) };
  },
};
