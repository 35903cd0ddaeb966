import { createHash, type Hash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import { z } from 'zod';
import { asTesseraError, type Fault } from '../base/index.ts';
import { type Write, writeFileAtomically, writeTextAtomically } from './durable.ts';

const manifestName = 'manifest.json';
const manifestSchema = z.object({
  files: z.record(z.string(), z.object({ bytes: z.int().nonnegative(), sha256: z.string().regex(/^[0-9a-f]{64}$/) })),
});

/** Size and SHA-256 of each file of a folder, taken of what was meant to be written, not of what the disk then held. */
export class Manifest {
  readonly #files = new Map<string, { bytes: number; readonly hash: Hash }>();

  /** Counts what is put into a file of this name. */
  watch(name: string): Write {
    const file = { bytes: 0, hash: createHash('sha256') };
    this.#files.set(name, file);
    return (bytes) => {
      file.bytes += bytes.length;
      file.hash.update(bytes);
    };
  }

  /** Writes a watched text. */
  writeText(path: string, text: string): void {
    const observe = this.watch(basename(path));
    const bytes = new TextEncoder().encode(text);
    writeFileAtomically(path, (write) => {
      observe(bytes);
      write(bytes);
    });
  }

  /** Writes `manifest.json` about all that was watched. */
  write(folder: string): void {
    const entries = Array.from(this.#files, ([name, { bytes, hash }]) => [name, { bytes, sha256: hash.digest('hex') }]);
    const text = JSON.stringify({ files: Object.fromEntries(entries) }, null, 2);
    writeTextAtomically(join(folder, manifestName), `${text}\n`);
  }
}

/** Codes of the system that tell of the files and not of the process that asks. */
const lost = ['ENOENT', 'ENOTDIR', 'EISDIR', 'EIO'];

/**
 * What a folder lacks of what its manifest says: undefined when every file is there with its size and checksum.
 * @throws TesseraError `file/read` when that cannot be found out, as without permission.
 */
export function checkManifest(folder: string): Fault | undefined {
  try {
    const { files } = manifestSchema.parse(JSON.parse(readFileSync(join(folder, manifestName), 'utf8')));
    for (const [name, wanted] of Object.entries(files)) {
      const path = join(folder, name);
      const { size } = statSync(path);
      const fault = { code: 'file/damaged', message: 'the file is not what was written', path };
      if (size !== wanted.bytes) return { ...fault, expected: `${wanted.bytes} bytes`, got: `${size}` };
      const found = sha256Of(path);
      if (found !== wanted.sha256) return { ...fault, expected: `SHA-256 ${wanted.sha256}`, got: found };
    }
    return undefined;
  } catch (error) {
    const path = join(folder, manifestName);
    const malformed = error instanceof z.ZodError || error instanceof SyntaxError;
    if (malformed) return { code: 'file/damaged', message: 'the manifest is malformed', path };
    const fault = asTesseraError(error, { code: 'file/read', path });
    if (!lost.includes((error as NodeJS.ErrnoException).code ?? '')) throw fault;
    return { code: 'file/damaged', message: fault.message, path };
  }
}

/** Paths of the files of a folder and of the folders in it; links are none. */
export function filesWithin(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/**
 * Writes `manifest.json` about the files that a folder and its folders hold, as they are there now.
 * @param except names of files that people may change as they like
 */
export function sealFolder(folder: string, except: readonly string[] = []): void {
  const names = filesWithin(folder)
    .map((path) => relative(folder, path).split(sep).join('/'))
    .filter((name) => name !== manifestName && !except.includes(name));
  const files = names.sort().map((name) => {
    const path = join(folder, name);
    return [name, { bytes: statSync(path).size, sha256: sha256Of(path) }];
  });
  writeTextAtomically(join(folder, manifestName), `${JSON.stringify({ files: Object.fromEntries(files) }, null, 2)}\n`);
}

/** Whether a folder has a manifest to be held against. */
export function hasManifest(folder: string): boolean {
  return existsSync(join(folder, manifestName));
}

/** The SHA-256 of a file's bytes, in hexadecimal digits. */
export function sha256Of(path: string): string {
  const hash = createHash('sha256');
  const chunk = new Uint8Array(1 << 20);
  const fd = openSync(path, 'r');
  try {
    for (let got = readSync(fd, chunk); got > 0; got = readSync(fd, chunk)) hash.update(chunk.subarray(0, got));
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}
