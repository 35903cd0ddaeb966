import { existsSync } from 'node:fs';
import { packaged } from '../files/index.ts';

/** A relative path as a recipe gives it: in the working directory, or else beside the package. */
export function locate(path: string): string {
  return existsSync(path) || !existsSync(packaged(path)) ? path : packaged(path);
}
