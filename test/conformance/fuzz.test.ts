import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runCase } from '../fuzz/run.ts';
import { understand } from '../fuzz/safetensors-rules.ts';
import { targets } from '../fuzz/targets.ts';

const place = mkdtempSync(join(tmpdir(), 'tessera-fuzz-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

// A sample; `npm run fuzz` runs as many as one likes, and watches from another process for what hangs.
describe('hostile files meet an answer or one clear error', () => {
  it.each(targets)(
    '$name',
    async (target) => {
      const cases = target.name === 'safetensors' ? 20_000 : 50;
      const counts = new Map<string, number>();
      for (let index = 0; index < cases; index++) {
        const { code, broken } = await runCase(target, 1, index, join(place, target.name));
        counts.set(code, (counts.get(code) ?? 0) + 1);
        expect(broken, `case ${index} of ${target.name}: ${code}`).toBeUndefined();
      }
      // A target that always fails in one way, or never, tries nothing.
      expect(counts.size).toBeGreaterThan(2);
    },
    600_000,
  );
});

describe('the rules of safetensors, restated', () => {
  const entry = '{"dtype":"F32","shape":[2],"data_offsets":[0,8]}';
  it.each([
    [`{"a":${entry}}`, 8, true],
    [`{"a":${entry}}`, 9, false],
    [`{"a":${entry},"a":${entry}}`, 8, false],
    [`{"a":${entry},"b":${entry}}`, 8, false],
    [`{"a":${entry.replace('[2]', '[2.0]')}}`, 8, false],
    [`{"a":${entry.replace('[0,8]', '[0,4]')}}`, 4, false],
    ['{"__metadata__":{"a":"b"}}  ', 0, true],
    ['{"__metadata__":{"a":1}}', 0, false],
  ])('%s with %d bytes', (header, bytes, valid) => {
    expect(understand(new TextEncoder().encode(header), bytes) !== undefined).toBe(valid);
  });
});
