import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixture } from '../../../../test/support/fixtures.ts';
import { scratchFolder } from '../../../../test/support/scratch-folder.ts';
import { sealFolder } from '../../../files/index.ts';
import { providers } from '../../../runtime/index.ts';
import { machineChecks } from './machine.ts';
import { modelChecks } from './model.ts';
import { packageChecks } from './packages.ts';
import { providerChecks, type Trial } from './providers.ts';

const works: Trial = { works: true, version: '1.2.3', threads: 4 };
const fails = (reason: string): Trial => ({ works: false, reason });

/** Checks of the providers in the order of the list, and of the engine. */
function checksOf(...trials: Trial[]) {
  const checks = providerChecks(providers.map((provider, i) => ({ provider, trial: trials[i] ?? works })));
  return { states: checks.map(({ state }) => state).join(' '), engine: checks.at(-1)?.found ?? '', checks };
}

describe('the doctor', () => {
  it('finds a machine that runs these tests fit to run, and tells its limits', () => {
    const checks = machineChecks();
    expect(checks.filter(({ state }) => state === 'broken')).toEqual([]);
    expect(checks.find(({ name }) => name === 'node')?.found).toBe(process.versions.node);
    expect(checks.find(({ name }) => name === 'memory')?.found).toMatch(/^\d+\.\d GiB free of \d+\.\d GiB$/);
  });

  it('reads an image with sharp and finds the packages', async () => {
    const checks = await packageChecks();
    expect(checks.map(({ state }) => state)).toEqual(['good', 'good', 'good', 'good']);
    expect(checks.at(-1)?.found).toMatch(/^\d+\.\d+\.\d+, reads an image$/);
  });

  it('takes the C API where it works, and does not miss a GPU', () => {
    const { states, engine, checks } = checksOf(works, works, fails('no adapter'));
    expect(states).toBe('good good lacking good good');
    expect(engine).toBe('ONNX Runtime 1.2.3 by c-api, the fastest way on a processor; 4 threads');
    expect(checks[2]).toMatchObject({ found: 'GPU, by WebGPU: no adapter', remedy: expect.stringContaining('driver') });
  });

  it('says why it falls back to the binding', () => {
    const { states, engine } = checksOf(fails('no koffi'), works, works);
    expect(states).toBe('lacking good good good good');
    expect(engine).toContain('by binding, slower, because the C API does not work: no koffi');
  });

  it('does not miss WebAssembly, which commands never take', () => {
    const { states, checks } = checksOf(works, works, works, fails('no such package'));
    expect(states).toBe('good good good lacking good');
    expect(checks[3]).toMatchObject({
      name: 'wasm',
      found: 'browsers, by WebAssembly: no such package',
      remedy: expect.stringContaining('onnxruntime-web'),
    });
    process.env.TESSERA_ENGINE = 'wasm';
    expect(checksOf().checks.at(-1)).toMatchObject({ state: 'broken', remedy: 'take c-api, binding, webgpu' });
    delete process.env.TESSERA_ENGINE;
  });

  it('is alarmed when no processor provider works, GPU or not', () => {
    const { states, checks } = checksOf(fails('no koffi'), fails('took its process down (SIGSEGV)'), works);
    expect(states).toBe('lacking lacking good good broken');
    expect(checks.at(-1)?.remedy).toContain('npm ci');
  });

  it('holds to the engine that the environment names', () => {
    process.env.TESSERA_ENGINE = 'binding';
    expect(checksOf(works, works, works).engine).toContain('by binding, because TESSERA_ENGINE names it');
    process.env.TESSERA_ENGINE = 'cuda';
    expect(checksOf(works, works, works).states).toBe('good good good good broken');
    delete process.env.TESSERA_ENGINE;
  });
});

describe('the doctor of a model', () => {
  const scratch = scratchFolder();

  function sealed(): string {
    const folder = scratch.fresh();
    cpSync(fixture('decoder/gqa'), folder, { recursive: true });
    sealFolder(folder, ['README.md']);
    return folder;
  }

  it('finds it whole, whatever became of its card', () => {
    const folder = sealed();
    writeFileSync(join(folder, 'README.md'), 'mine');
    expect(modelChecks(folder).map(({ name, state }) => `${name} ${state}`)).toEqual([
      'weights good',
      'checksums good',
    ]);
  });

  it('names a file that is not what was written', () => {
    const folder = sealed();
    const path = join(folder, 'model.safetensors');
    const bytes = readFileSync(path);
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
    writeFileSync(path, bytes);
    expect(modelChecks(folder)[1]).toMatchObject({ state: 'broken', found: expect.stringContaining(path) });
  });

  it('misses the checksums of a folder that another tool wrote', () => {
    expect(modelChecks(fixture('decoder/gqa'))[1]).toMatchObject({ state: 'lacking' });
  });
});
