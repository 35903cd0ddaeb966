import type * as disk from './disk.ts';
import type { Entry, OpenFile } from './disk.ts';

// The disk of a browser: files that were fetched, by their paths.

const files = new Map<string, Uint8Array>();

/** Puts a file where reading finds it. */
export function keepFile(path: string, bytes: Uint8Array): void {
  files.set(resolve(path), bytes);
}

/** Forgets what is in a folder. */
export function dropFolder(folder: string): void {
  const prefix = `${resolve(folder)}/`;
  for (const path of files.keys()) if (path.startsWith(prefix)) files.delete(path);
}

export const lookUp: typeof disk.lookUp = (path): Entry | undefined => {
  const bytes = files.get(resolve(path));
  if (bytes) return { kind: 'file', bytes: bytes.length };
  return namesIn(path).length > 0 ? { kind: 'folder', bytes: 0 } : undefined;
};

export const pathExists: typeof disk.pathExists = (path) => lookUp(path) !== undefined;

export const pathOfUrl: typeof disk.pathOfUrl = (url) => decodeURIComponent(new URL(url).pathname);

export const namesIn: typeof disk.namesIn = (folder) => {
  const prefix = `${resolve(folder)}/`;
  const below = [...files.keys()].filter((path) => path.startsWith(prefix));
  return [...new Set(below.map((path) => path.slice(prefix.length).split('/')[0] as string))];
};

export const readWhole: typeof disk.readWhole = (path) => {
  const bytes = files.get(resolve(path));
  if (bytes) return bytes;
  throw new Error(`${path} was not fetched`);
};

export const withFile: typeof disk.withFile = <T>(path: string, use: (file: OpenFile) => T): T => {
  const bytes = readWhole(path);
  return use({
    bytes: bytes.length,
    stamp: '',
    read(target, position) {
      const part = bytes.subarray(position, position + target.length);
      target.set(part);
      return part.length;
    },
  });
};

/** The path from the root, without `.`, `..` and doubled slashes. */
export const resolve: typeof disk.resolve = (...parts) => {
  const names: string[] = [];
  const root = parts.findLastIndex((part) => part.startsWith('/'));
  for (const name of parts.slice(Math.max(root, 0)).join('/').split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return `/${names.join('/')}`;
};

export const join: typeof disk.join = (...parts) => resolve(...parts.map((part, i) => (i === 0 ? part : `./${part}`)));

export const dirname: typeof disk.dirname = (path) => resolve(path, '..');

export const basename: typeof disk.basename = (path) => resolve(path).split('/').at(-1) as string;
