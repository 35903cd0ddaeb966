import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { asTesseraError, TesseraError } from '../../base/index.ts';

/** A name beside `path` that nothing uses yet: `tmp-<name>-<process>-<random>`. */
export function temporaryBeside(path: string): string {
  return join(dirname(path), `tmp-${basename(path)}-${process.pid}-${randomBytes(4).toString('hex')}`);
}

/**
 * Writes a file so that a reader finds the old content or the new, never a part: temporary file, fsync, rename, fsync
 * of the folder. `fill` writes through the descriptor; when it throws, the temporary file goes and `path` stays.
 * @throws TesseraError `file/write` when the system refuses.
 */
export function writeFileAtomically(path: string, fill: (fd: number) => void): void {
  const temporary = temporaryBeside(path);
  try {
    const fd = openSync(temporary, 'wx');
    try {
      fill(fd);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
    syncFolder(dirname(path));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw asTesseraError(error, { code: 'file/write', path, remedy: 'check free space and permissions' });
  }
}

/** Writes all bytes at the descriptor's position; a short write is continued. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, Math.min(bytes.length - at, 1 << 30));
}

/** Fills `target` from `position` of the descriptor; returns the bytes got, fewer only at the end of the file. */
export function readAll(fd: number, target: Uint8Array, position: number): number {
  let at = 0;
  while (at < target.length) {
    const got = readSync(fd, target, at, Math.min(target.length - at, 1 << 30), position + at);
    if (got === 0) break;
    at += got;
  }
  return at;
}

/** Makes the names in a folder durable. Windows has no such call and needs none. */
export function syncFolder(folder: string): void {
  if (process.platform !== 'win32') syncPath(folder, 'r');
}

/** Makes a whole folder durable: files, then the folders that hold them, from the inside out. */
export function syncTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) syncTree(path);
    else if (entry.isFile()) syncPath(path, 'r+');
  }
  syncFolder(folder);
}

/** True when something, even a broken link, has this path. */
export function pathExists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Refuses a file name that could leave its folder: only a bare name is one. */
export function bareName(name: string, where: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\\\u0000:]/.test(name)) {
    throw new TesseraError({
      code: 'file/name',
      message: 'a file name would leave its folder',
      path: where,
      expected: 'a bare file name',
      got: JSON.stringify(name),
    });
  }
  return name;
}

function syncPath(path: string, flags: string): void {
  const fd = openSync(path, flags);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
