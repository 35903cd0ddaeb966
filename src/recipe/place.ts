import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds `recipes/` and `assets/`, two up from here in the source tree and in the built package alike. */
const root = fileURLToPath(new URL('../..', import.meta.url));

/** A path from the root of the package. */
export function packaged(path: string): string {
  return join(root, path);
}

/** A relative path as a recipe gives it: in the working directory, or else beside the package. */
export function locate(path: string): string {
  return existsSync(path) || !existsSync(packaged(path)) ? path : packaged(path);
}
