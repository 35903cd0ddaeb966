import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';

// What reading asks of the machine; `disk.web.ts` stands in its place where there is no disk.

export { basename, dirname, join, resolve } from 'node:path';
/** The path that a `file:` URL names. */
export { fileURLToPath as pathOfUrl } from 'node:url';

export interface Entry {
  readonly kind: 'file' | 'folder' | 'device';
  readonly bytes: number;
}

/** What has this path, links followed. */
export function lookUp(path: string): Entry | undefined {
  const found = unlessAbsent(() => statSync(path));
  return found && { kind: found.isFile() ? 'file' : found.isDirectory() ? 'folder' : 'device', bytes: found.size };
}

/** True when something, even a broken link, has this path. */
export function pathExists(path: string): boolean {
  return unlessAbsent(() => lstatSync(path)) !== undefined;
}

/** Ways of the system to say that nothing can have this path. */
const absent = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'ERR_INVALID_ARG_VALUE']);

function unlessAbsent<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (absent.has(String((error as NodeJS.ErrnoException).code))) return undefined;
    throw error;
  }
}

export function namesIn(folder: string): string[] {
  return readdirSync(folder);
}

export function readWhole(path: string): Uint8Array {
  return readFileSync(path);
}

/** A file open for reading in places. */
export interface OpenFile {
  readonly bytes: number;
  /** Differs once the file is another or was written to. */
  readonly stamp: string;
  /** Fills `target` from `position` on; returns the bytes got, fewer only at the end of the file. */
  read(target: Uint8Array, position: number): number;
}

/** Opens a file for the time that `use` takes. To open a pipe would be to wait for whoever fills it. */
export function withFile<T>(path: string, use: (file: OpenFile) => T): T {
  const kind = lookUp(path)?.kind ?? 'file';
  if (kind !== 'file') throw new Error(`${path} is a ${kind}`);
  const fd = openSync(path, 'r');
  try {
    const { size, mtimeNs, ino } = fstatSync(fd, { bigint: true });
    const stamp = `${size} ${mtimeNs} ${ino}`;
    return use({ bytes: Number(size), stamp, read: (target, position) => readAll(fd, target, position) });
  } finally {
    closeSync(fd);
  }
}

function readAll(fd: number, target: Uint8Array, position: number): number {
  let at = 0;
  while (at < target.length) {
    const got = readSync(fd, target, at, Math.min(target.length - at, 1 << 30), position + at);
    if (got === 0) break;
    at += got;
  }
  return at;
}
