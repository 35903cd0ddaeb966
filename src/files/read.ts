import { asTesseraError, TesseraError } from '../base/index.ts';
import { lookUp, readWhole } from './disk.ts';

/** Largest JSON or text file that is read whole, in bytes; the tokenizer files of large vocabularies take some 40 MB. */
const largestText = 1 << 28;

export interface ReadLimits {
  /** Code of the error, whatever is wrong with the file. */
  readonly code: string;
  /** In bytes; 256 MiB when absent. */
  readonly largest?: number;
}

/**
 * A file's bytes. Only an ordinary file is opened, since a pipe or a device could give bytes for ever or none, and only
 * when its size is known to be acceptable.
 * @throws TesseraError with the code of `limits`.
 */
export function readBytes(path: string, limits: ReadLimits): Uint8Array {
  const largest = limits.largest ?? largestText;
  const refuse = (message: string, expected: string, got: string): never => {
    throw new TesseraError({ code: limits.code, message, path, expected, got });
  };
  try {
    const found = lookUp(path);
    if (!found) return refuse('there is no such file', 'a file', 'nothing');
    if (found.kind !== 'file') refuse('this is no ordinary file', 'a file', `a ${found.kind}`);
    if (found.bytes > largest) refuse('the file is too large', `at most ${largest} bytes`, `${found.bytes} bytes`);
    return readWhole(path);
  } catch (error) {
    throw asTesseraError(error, { code: limits.code, path, expected: 'a readable file' });
  }
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
    throw new TesseraError({ code: limits.code, message, path, expected, got: 'other bytes' }, { cause });
  }
}
