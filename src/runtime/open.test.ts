import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { feeds, sumAndProduct } from '../../test/support/onnx-models.ts';
import { float32, type Log } from '../base/index.ts';
import { libraryPath, packageVersion } from './c-api/library.ts';
import { openEngine } from './index.ts';

function recordingLog(): Log & { lines: string[] } {
  const lines: string[] = [];
  return { lines, info: () => {}, warn: (line) => void lines.push(line) };
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('opening an engine', () => {
  it('takes the C API, silently, with the version of the package', async () => {
    vi.stubEnv('TESSERA_ENGINE', '');
    const log = recordingLog();
    const engine = await openEngine({ log, threads: 2 });
    expect(engine).toMatchObject({ name: 'c-api', version: packageVersion(), threads: 2 });
    expect(engine.ledger.snapshot()).toMatchObject({ sessionsBuilt: 0, runs: 0, nativeHandles: 0 });
    expect(log.lines).toEqual([]);
  });

  it.each([
    ['is missing', undefined],
    ['is no library', 'not a library'],
  ])('falls back to the binding, with one line, when the library %s', async (_how, content) => {
    vi.stubEnv('TESSERA_ENGINE', '');
    const folder = await mkdtemp(join(tmpdir(), 'tessera-test-'));
    const library = join(folder, 'broken.so');
    if (content) writeFileSync(library, content);
    const log = recordingLog();
    const engine = await openEngine({ log, library, threads: 1 });
    expect(engine.name).toBe('binding');
    expect(log.lines).toEqual([expect.stringContaining('npm binding')]);
    const session = await engine.createSession(sumAndProduct);
    const x = float32([1, 1], [4]);
    expect((await session.run(feeds({ a: x, b: x }))).get('product')).toEqual(float32([1, 1], [16]));
    session.dispose();
    await rm(folder, { recursive: true });
  });

  it('does not fall back when the C API was asked for by name', async () => {
    const opening = openEngine({ backend: 'c-api', library: join(tmpdir(), 'nothing-here.so') });
    await expect(opening).rejects.toMatchObject({ code: 'runtime/library' });
  });

  it('obeys TESSERA_ENGINE, unless a back end was asked for by name', async () => {
    vi.stubEnv('TESSERA_ENGINE', 'binding');
    expect((await openEngine({ threads: 1 })).name).toBe('binding');
    expect((await openEngine({ threads: 1, backend: 'c-api' })).name).toBe('c-api');
    vi.stubEnv('TESSERA_ENGINE', 'gpu');
    await expect(openEngine()).rejects.toMatchObject({ code: 'runtime/backend', got: 'gpu' });
  });

  it('refuses a number of threads that is none', async () => {
    await expect(openEngine({ threads: 0 })).rejects.toMatchObject({ code: 'runtime/threads' });
    await expect(openEngine({ threads: 1.5 })).rejects.toMatchObject({ code: 'runtime/threads' });
  });

  it('says where no library exists', () => {
    expect(() => libraryPath('linux', 'mips')).toThrow(expect.objectContaining({ code: 'runtime/no-library' }));
    expect(libraryPath('win32', 'x64')).toContain('onnxruntime.dll');
  });
});
