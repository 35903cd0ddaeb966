import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { sha256Of } from '../files/index.ts';
import type { ModelPlace } from '../models/index.ts';

/** The checksums of the files that answers come from. */
export function weightsOf({ folder, adapter }: ModelPlace): Record<string, string> {
  const parts = [folder, ...(adapter === undefined || adapter === folder ? [] : [adapter])];
  return Object.fromEntries(
    parts.flatMap((part) =>
      readdirSync(part)
        .filter((name) => /\.(?:safetensors|json|jinja|model)$/.test(name) && name !== 'manifest.json')
        .sort()
        .map((name) => [join(basename(part), name), sha256Of(join(part, name))]),
    ),
  );
}
