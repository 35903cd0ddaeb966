import { createHash } from 'node:crypto';
import { existsSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { isAbsolute, join, relative, resolve, sep, win32 } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TesseraError } from '../../base/index.ts';
import { lookUp, makeFolder, temporaryBeside } from '../../files/index.ts';
import { imageType } from '../image/index.ts';
import type { ImageMedia } from '../row.ts';

/** Finds the images that rows name. */
export interface ImageFolder {
  /**
   * @throws TesseraError `row/image-path`, `row/image-outside`, `row/image-remote`, `row/image-missing`
   */
  find(name: string, where: string): ImageMedia;
  /** Takes in an image that stands in the file of rows itself; the name by which it is found. */
  keep(bytes: Uint8Array): string;
}

export interface FolderOptions {
  /** Whether an image has to be there, as by default; who draws images when they are used knows that they will be. */
  readonly looks?: boolean;
  /** Where images go that stand in the file of rows; they stay in memory as `data:` URIs when absent. */
  readonly unpacked?: string | undefined;
}

/** A folder that image names are relative to. */
export function imageFolder(folder: string, { looks = true, unpacked }: FolderOptions = {}): ImageFolder {
  const root = resolve(folder);
  const known = new Map<string, boolean>();
  const isFile = (path: string) => {
    const exists = known.get(path) ?? lookUp(path)?.kind === 'file';
    known.set(path, exists);
    return exists;
  };
  const real = realPath(root);
  /** A whole path may go through the real folder where the given one is a link, or the other way round. */
  const inRoot = (path: string) => {
    const way = relative(real, realPath(path));
    return leaves(relative(root, path)) && !leaves(way) ? resolve(root, way) : path;
  };
  const kept = new Set<string>();
  return {
    keep(bytes) {
      if (unpacked === undefined) return `data:;base64,${Buffer.from(bytes).toString('base64')}`;
      const path = unpack(bytes, resolve(unpacked));
      kept.add(path);
      return path;
    },
    find(name, where) {
      if (/^data:/i.test(name)) return { kind: 'image', path: name };
      if (kept.has(name)) return { kind: 'image', path: name, inside: where };
      const local = localName(name, where);
      const path = resolve(root, local);
      const inside = isAbsolute(local) ? inRoot(path) : path;
      refuseOutside(root, inside, local, where);
      if (looks && !isFile(inside)) throw missing(root, name, where);
      return { kind: 'image', path: inside };
    },
  };
}

/** Writes an image under the checksum of its bytes, unless it is there: it appears whole or not at all. */
function unpack(bytes: Uint8Array, folder: string): string {
  const sum = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
  const type = imageType(bytes);
  const path = join(folder, sum.slice(0, 2), type === undefined ? sum : `${sum}.${type}`);
  if (existsSync(path)) return path;
  makeFolder(join(folder, sum.slice(0, 2)));
  const draft = temporaryBeside(path);
  writeFileSync(draft, bytes);
  renameSync(draft, path);
  return path;
}

function localName(name: string, where: string): string {
  if (/^file:\/\/\//i.test(name)) return localName(filePath(name, where), where);
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(name)) {
    throw new TesseraError({
      code: 'row/image-remote',
      message: 'the image is not on this machine',
      path: where,
      got: name,
      remedy: 'download the images and name them by their files',
    });
  }
  if (name.trim() === '' || name.includes('\0')) {
    throw noPath(name, where);
  }
  return name;
}

function filePath(url: string, where: string): string {
  try {
    return fileURLToPath(url);
  } catch {
    throw noPath(url, where);
  }
}

function noPath(name: string, path: string): TesseraError {
  const message = 'the name of the image is no path';
  return new TesseraError({ code: 'row/image-path', message, path, got: JSON.stringify(name.slice(0, 120)) });
}

function leaves(way: string): boolean {
  return way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way);
}

/** A path without links; as it is where there is no such file. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function refuseOutside(root: string, path: string, name: string, where: string): void {
  // A drive letter is no absolute path elsewhere than on Windows, and no name of a file anywhere.
  if (!leaves(relative(root, path)) && (isAbsolute(name) || !win32.isAbsolute(name))) return;
  throw new TesseraError({
    code: 'row/image-outside',
    message: 'the image lies outside the folder of images',
    path: where,
    expected: `a path inside ${root}`,
    got: name,
    remedy: 'set images to a folder that holds all of them; names are relative to it, or absolute paths inside it',
  });
}

function missing(root: string, name: string, where: string): TesseraError {
  return new TesseraError({
    code: 'row/image-missing',
    message: 'there is no such image',
    path: where,
    expected: `a file in ${root}`,
    got: name,
    remedy: 'check the name, and the folder of images',
  });
}
