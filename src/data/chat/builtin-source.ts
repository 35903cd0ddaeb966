import { readFileSync } from 'node:fs';

/** The text of a built-in template. */
export function builtinSource(name: string): string {
  return readFileSync(new URL(`./templates/${name}.jinja`, import.meta.url), 'utf8');
}
