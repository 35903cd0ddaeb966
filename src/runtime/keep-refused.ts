import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Keeps a model that ONNX Runtime would not load, for a look at it; named by content, so that the same fault fills the
 * disk once.
 * @returns where it is, undefined when the temporary folder is not writable
 */
export function keepRefused(model: Uint8Array, name: string): string | undefined {
  const digest = createHash('sha256').update(model).digest('hex').slice(0, 12);
  const path = join(tmpdir(), 'tessera', `${name.replace(/[^\w.-]+/g, '-').slice(0, 80)}-${digest}.onnx`);
  try {
    mkdirSync(join(tmpdir(), 'tessera'), { recursive: true });
    writeFileSync(path, model);
    return path;
  } catch {
    return undefined;
  }
}
