import { readFileSync } from 'node:fs';

/** Of the package, whose root is three folders up in the source tree and in the built package alike. */
export function version(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
