import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { portable } from '../export/index.ts';
import { sha256Of } from '../files/index.ts';
import type { ModelPlace } from '../models/index.ts';

/** What a report calls the model that answers come from. */
export function modelName({ from, adapter }: { from?: string | undefined; adapter?: string | undefined }): string {
  const [model, beside] = portable([from, adapter]);
  return [model, beside && `+ ${beside}`].filter(Boolean).join(' ');
}

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
