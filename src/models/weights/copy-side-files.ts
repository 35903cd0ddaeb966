import { cpSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { sideFileNames } from './side-files.ts';

/** Copies tokenizer, preprocessor and chat template files that `from` has; returns their names. */
export function copySideFiles(from: string, to: string): string[] {
  const found = sideFileNames.filter((name) => statSync(join(from, name), { throwIfNoEntry: false })?.isFile());
  for (const name of found) cpSync(join(from, name), join(to, name), { dereference: true });
  return found;
}
