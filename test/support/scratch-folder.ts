import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';

/** A folder for the files of one test file, removed at its end. */
export function scratchFolder() {
  const root = mkdtempSync(join(tmpdir(), 'tessera-test-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const path = (name: string) => join(root, name);
  return {
    path,
    /** A new and empty folder in it. */
    fresh: () => mkdtempSync(path('fresh-')),
    /** Writes text or bytes as they are, anything else as JSON. */
    write(name: string, content: unknown): string {
      mkdirSync(dirname(path(name)), { recursive: true });
      const raw = typeof content === 'string' || content instanceof Uint8Array;
      writeFileSync(path(name), raw ? content : JSON.stringify(content));
      return path(name);
    },
  };
}
