import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the package, with `recipes/` and `assets/`: two up from here in the source tree and in the build alike. */
const root = fileURLToPath(new URL('../..', import.meta.url));

/** A path from the root of the package. */
export function packaged(path: string): string {
  return join(root, path);
}

/** The version of tessera, from its package.json. */
export function version(): string {
  return (JSON.parse(readFileSync(packaged('package.json'), 'utf8')) as { version: string }).version;
}
