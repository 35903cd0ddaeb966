import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TesseraError } from '../base/index.ts';

/** The error for a model that ONNX Runtime would not load; the model is kept in a file for a look at it. */
export function refusal(model: Uint8Array, name: string, text: string, cause?: unknown): TesseraError {
  const kept = keep(model, name);
  return new TesseraError(
    {
      code: 'runtime/model-refused',
      message: `ONNX Runtime refused the model ${name}: ${text}`,
      ...(kept && { path: kept }),
      remedy: kept
        ? 'open the kept file in an ONNX viewer'
        : 'the model could not be kept: the temporary folder is not writable',
    },
    { cause },
  );
}

/** Named by content, so that the same fault fills the disk once. */
function keep(model: Uint8Array, name: string): string | undefined {
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
