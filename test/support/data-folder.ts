import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';

/** A folder of data files for one test file, removed at its end. */
export function dataFolder() {
  const root = mkdtempSync(join(tmpdir(), 'tessera-data-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const path = (name: string) => join(root, name);
  return {
    path,
    /** Writes text or bytes as they are, anything else as JSON. */
    write(name: string, content: unknown): string {
      mkdirSync(dirname(path(name)), { recursive: true });
      const raw = typeof content === 'string' || content instanceof Uint8Array;
      writeFileSync(path(name), raw ? content : JSON.stringify(content));
      return path(name);
    },
  };
}
