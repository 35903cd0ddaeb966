import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { hooks } from '../../test/end-to-end/material.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { type WorldRequest, worldOptions } from '../world/index.ts';
import { cachedWorld } from './world-cache.ts';

afterEach(() => vi.unstubAllEnvs());

describe('worlds that were written once', () => {
  const request: WorldRequest = { split: 'val', count: 2, seed: 0, tasks: ['captions'] };

  it('are found again, and one that an older version left does not stand in the way', async () => {
    const cache = scratchFolder().fresh();
    vi.stubEnv('TESSERA_CACHE', cache);
    const options = worldOptions(request);
    const key = createHash('sha256').update(JSON.stringify(options)).digest('hex').slice(0, 12);
    const old = join(cache, `world-val-2-${key}`);
    mkdirSync(old);
    writeFileSync(join(old, 'world.json'), JSON.stringify({ format: 'tessera-world', version: 1, options, files: {} }));
    const folder = await cachedWorld(request, hooks());
    expect(folder).not.toBe(old);
    expect(await cachedWorld(request, hooks())).toBe(folder);
  });
});
