import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { remedied, remedyOf } from './remedies.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const sources = readdirSync(root, { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.endsWith('cli/remedies.ts'))
  .map((name) => readFileSync(join(root, name), 'utf8'));

/** Every code of a fault in the sources, and the areas that codes are made of. */
const codes = new Set(
  sources.flatMap((text) =>
    [
      ...text.matchAll(
        /\bcode(?:: | = |\) => )[^,;\n]*?['`]([a-z][a-z0-9-]*\/[a-z0-9-]+)['`]|['`]([a-z]+\/[a-z0-9-]+)['`], (?:message|path|expected)/g,
      ),
    ].map(([, code, passed]) => (code ?? passed) as string),
  ),
);
const areas = new Set(
  sources.flatMap((text) => [...text.matchAll(/\barea: '([a-z-]+)'/g)].map(([, area]) => area as string)),
);

describe('every fault that a user meets', () => {
  it('has a remedy, its own or that of its kind', () => {
    expect(codes.size).toBeGreaterThan(250);
    const without = [...codes].filter((code) => remedyOf({ code }) === undefined);
    expect(without).toEqual([]);
    expect([...areas].filter((area) => remedyOf({ code: `${area}/json` }) === undefined)).toEqual([]);
  });

  it('has none that no fault leads to', () => {
    const known = new Set([...codes, ...[...codes].map((code) => code.replace(/\/.*$/, '')), ...areas]);
    expect([...remedied].filter((name) => !known.has(name))).toEqual([]);
  });

  it('keeps the remedy of its own', () => {
    expect(remedyOf({ code: 'row/schema', remedy: 'own' })).toBe('own');
    expect(remedyOf({ code: 'eval/no-eyes' })).not.toBe(remedyOf({ code: 'eval/row' }));
  });
});
