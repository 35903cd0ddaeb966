import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { asTesseraError, TesseraError } from '../base/index.ts';
import { pathExists } from './disk.ts';

const temporaryName = /^tmp-.+-(\d+)-[0-9a-f]{8}$/;

/** A name beside `path` that nothing uses yet: `tmp-<name>-<process>-<random>`. */
export function temporaryBeside(path: string): string {
  return join(dirname(path), `tmp-${basename(path)}-${process.pid}-${randomBytes(4).toString('hex')}`);
}

/** Whether a name is one that `temporaryBeside` gives. */
export function isTemporary(name: string): boolean {
  return temporaryName.test(name);
}

/**
 * Removes what processes that died in the middle of a write left in a folder. What a living process is writing stays;
 * so call this before the own process begins to write there.
 */
export function sweepTemporaries(folder: string): void {
  if (!pathExists(folder)) return;
  for (const name of readdirSync(folder)) {
    const writer = Number(temporaryName.exec(name)?.[1] ?? Number.NaN);
    if (writer === process.pid || (!Number.isNaN(writer) && !isAlive(writer)))
      rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** Whether this machine runs a process of this number, be it somebody else's. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Puts bytes at the end of a file that is being written. */
export type Write = (bytes: Uint8Array) => void;

/**
 * Writes a file so that a reader finds the old content or the new, never a part: temporary file, fsync, rename, fsync
 * of the folder. When `fill` throws, the temporary file goes and `path` stays.
 * @throws TesseraError `file/write` when the system refuses.
 */
export function writeFileAtomically(path: string, fill: (write: Write) => void): void {
  const temporary = temporaryBeside(path);
  try {
    const fd = openSync(temporary, 'wx');
    try {
      fill((bytes) => writeAll(fd, bytes));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
    syncFolder(dirname(path));
  } catch (error) {
    discard(temporary);
    throw asTesseraError(error, { code: 'file/write', path, remedy: 'check free space and permissions' });
  }
}

/** As `writeFileAtomically`, for a text that is there already. */
export function writeTextAtomically(path: string, text: string): void {
  writeFileAtomically(path, (write) => write(new TextEncoder().encode(text)));
}

/** Writes all bytes at the descriptor's position; a short write is continued. */
function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    const written = writeSync(fd, bytes, at, Math.min(bytes.length - at, 1 << 30));
    if (written === 0) throw new TesseraError({ code: 'file/write', message: 'the system takes no more bytes' });
    at += written;
  }
}

/** Removes what a failed write left. A second failure must not hide the first; what stays is swept later. */
export function discard(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {}
}

/** Makes a folder, and those above it that are missing, durable. */
export function makeFolder(folder: string): void {
  const first = mkdirSync(folder, { recursive: true });
  if (first === undefined) return;
  const top = dirname(resolve(first));
  for (let at = dirname(resolve(folder)); ; at = dirname(at)) {
    syncFolder(at);
    if (at === top) return;
  }
}

/** Removes a folder as a whole: its name goes first, so that nobody finds a half of it. */
export function removeFolder(folder: string): void {
  const doomed = temporaryBeside(folder);
  renameSync(folder, doomed);
  rmSync(doomed, { recursive: true, force: true });
}

/** Makes a file that was written piece by piece durable, with its name. */
export function syncFile(path: string): void {
  syncPath(path, 'r+');
  syncFolder(dirname(path));
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

function syncPath(path: string, flags: string): void {
  const fd = openSync(path, flags);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
