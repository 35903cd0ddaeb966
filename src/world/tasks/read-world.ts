import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TesseraError } from '../../base/index.ts';
import type { Scene } from '../scene.ts';
import type { WorldOptions } from './options.ts';

/** Rises whenever the same options give other bytes. */
export const worldVersion = 3;

/** `world.json`: how a folder was made and what it holds. */
export interface WorldManifest {
  readonly format: 'tessera-world';
  readonly version: number;
  readonly options: WorldOptions;
  /** Rows in each file. */
  readonly files: Readonly<Record<string, number>>;
  /** `images/` holds the images that somebody has asked for; all of them when absent. */
  readonly pictures?: 'later';
}

async function text(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new TesseraError(
      {
        code: 'world/unreadable',
        message: 'the file cannot be read',
        path,
        expected: 'a file that writeWorld made',
        got: (error as Error).message,
        remedy: 'write the world again',
      },
      { cause: error },
    );
  }
}

function parse(source: string, path: string): unknown {
  try {
    return JSON.parse(source);
  } catch (error) {
    throw damaged(path, (error as Error).message);
  }
}

export function damaged(path: string, got: string): TesseraError {
  return new TesseraError({
    code: 'world/damaged',
    message: 'this is not what writeWorld made',
    path,
    got,
    remedy: 'remove the folder and write the world again',
  });
}

/** @throws TesseraError `world/unreadable`, `world/damaged` */
export async function readManifest(folder: string): Promise<WorldManifest> {
  const path = join(folder, 'world.json');
  const manifest = parse(await text(path), path) as Partial<WorldManifest> | null;
  if (manifest?.format !== 'tessera-world' || !manifest.options || !manifest.files) {
    throw damaged(path, `format ${manifest?.format}`);
  }
  return manifest as WorldManifest;
}

/**
 * The scenes of a world folder: the truth that CHAIR and the other scores are held against.
 * @throws TesseraError `world/unreadable`, `world/damaged`
 */
export async function readScenes(folder: string): Promise<Scene[]> {
  const { files } = await readManifest(folder);
  const path = join(folder, 'scenes.jsonl');
  const rows = (await text(path)).split('\n').filter((line) => line !== '');
  if (rows.length !== files['scenes.jsonl']) {
    throw damaged(path, `${rows.length} scenes, where world.json counts ${files['scenes.jsonl']}`);
  }
  return rows.map((row, i) => parse(row, `${path} row ${i + 1}`) as Scene);
}
