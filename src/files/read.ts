import { asTesseraError, TesseraError } from '../base/index.ts';
import { lookUp, readWhole } from './disk.ts';

/** Largest JSON or text file that is read whole, in bytes; the tokenizer files of large vocabularies take some 40 MB. */
const largestText = 1 << 28;

export interface ReadLimits {
  /** Code of the error, whatever is wrong with the file. */
  readonly code: string;
  /** In bytes; 256 MiB when absent. */
  readonly largest?: number;
  /** What to do where it cannot be read; as its fault says when absent. */
  readonly remedy?: string;
}

const remedies = {
  missing: 'check the path',
  other: 'name the file itself',
  large: 'name a smaller file, or check that this is the right one',
  unreadable: 'allow reading it, or name another file',
  encoding: 'save it as UTF-8',
};

/**
 * A file's bytes. Only an ordinary file is opened, since a pipe or a device could give bytes for ever or none, and only
 * when its size is known to be acceptable.
 * @throws TesseraError with the code of `limits`.
 */
export function readBytes(path: string, limits: ReadLimits): Uint8Array {
  const largest = limits.largest ?? largestText;
  const refuse = (why: keyof typeof remedies, message: string, expected: string, got: string): never => {
    const remedy = limits.remedy ?? remedies[why];
    throw new TesseraError({ code: limits.code, message, path, expected, got, remedy });
  };
  try {
    const found = lookUp(path);
    if (!found) return refuse('missing', 'there is no such file', 'a file', 'nothing');
    if (found.kind !== 'file') refuse('other', 'this is no ordinary file', 'a file', `a ${found.kind}`);
    if (found.bytes > largest) {
      refuse('large', 'the file is too large', `at most ${largest} bytes`, `${found.bytes} bytes`);
    }
    return refusePointer(readWhole(path), path);
  } catch (error) {
    const remedy = limits.remedy ?? remedies.unreadable;
    throw asTesseraError(error, { code: limits.code, path, expected: 'a readable file', remedy });
  }
}

/** How the small files begin that stand in a clone for those that Git LFS keeps elsewhere. */
const pointer = new TextEncoder().encode('version https://git-lfs');

function isPointer(bytes: Uint8Array): boolean {
  return bytes.length >= pointer.length && pointer.every((byte, i) => bytes[i] === byte);
}

/** @throws TesseraError `file/lfs-pointer` for bytes that only say where the file is kept */
export function refusePointer(bytes: Uint8Array, path: string): Uint8Array {
  if (!isPointer(bytes)) return bytes;
  throw new TesseraError({
    code: 'file/lfs-pointer',
    message: 'a Git LFS pointer stands in the place of the file',
    path,
    expected: 'the file itself',
    got: `${bytes.length} bytes that say where it is kept`,
    remedy: 'fetch it with `git lfs pull` in its folder, or download it again',
  });
}

/**
 * A file as text; a byte order mark at its beginning is dropped.
 * @throws TesseraError with the code of `limits`, also for bytes that are no UTF-8.
 */
export function readText(path: string, limits: ReadLimits): string {
  const bytes = readBytes(path, limits);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    const [message, expected] = ['the file is no UTF-8 text', 'UTF-8 text'];
    const remedy = limits.remedy ?? remedies.encoding;
    throw new TesseraError({ code: limits.code, message, path, expected, got: 'other bytes', remedy }, { cause });
  }
}
