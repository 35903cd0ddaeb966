import { readFileSync } from 'node:fs';
import { TesseraError } from '../../base/index.ts';

/** What Node, ONNX Runtime and the image decoder reserve before a model is there, most of it never used; in bytes. */
const least = 2 * 2 ** 30;

/** The address space that this process may have, in bytes; undefined where nothing limits it, or where nobody says. */
export function addressSpace(limits = readLimits()): number | undefined {
  const [, bytes] = /^Max address space +(\d+)/m.exec(limits) ?? [];
  return bytes === undefined ? undefined : Number(bytes);
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return ''; // Linux alone has it, and enforces it.
  }
}

/**
 * Looks before anything is loaded: where addresses run out, the platform ends the process and nothing can be told.
 * @throws TesseraError `cli/address-space`
 */
export function requireAddressSpace(bytes: number | undefined = addressSpace()): void {
  if (bytes === undefined || bytes >= least) return;
  throw new TesseraError({
    code: 'cli/address-space',
    message: 'this process may have too little address space',
    expected: `at least ${least / 2 ** 30} GiB, most of which is reserved and not used`,
    got: `${(bytes / 2 ** 30).toFixed(1)} GiB`,
    remedy: 'raise the limit (`ulimit -v unlimited`), then run the same command again',
  });
}
