import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { type DiskFault, withFailingDisk } from '../../test/support/failing-disk.ts';
import { Random, silentLog, TesseraError } from '../base/index.ts';
import { openSafetensors } from '../models/index.ts';
import { allocateStore, type FlatStore, type ParameterSpec, zerosInit } from '../nn/index.ts';
import type { StageState } from '../train/index.ts';
import { recordOf } from './checkpoint-base.ts';
import { newestCheckpoint, type Position, restoreCheckpoint, saveCheckpoint } from './checkpoints.ts';

// Thousands of small files: in memory where the system has such a folder.
const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'tessera-checkpoints-'));
afterAll(() => rmSync(root, { recursive: true }));
let folder = '';
let count = 0;
beforeEach(() => {
  folder = join(root, `${++count}`, 'checkpoints');
});

const specs = new Map<string, ParameterSpec>(
  ['a.weight', 'b.bias'].map((path) => [path, { path, shape: [5, 3], init: zerosInit }]),
);

/** What a run is at a step, in numbers of its own. */
function stateAt(step: number): { store: FlatStore; state: StageState; position: Position } {
  const random = new Random(step, 'state');
  const store = allocateStore(specs);
  const noise = (data: Float32Array<ArrayBuffer>) => data.map(() => random.normal());
  store.flat.set(noise(store.flat));
  const moments = { first: noise(new Float32Array(7)), second: noise(new Float32Array(7)) };
  const report = { kept: 1, rejected: 0, sources: [], reasons: [] };
  const position = { stage: 0, step, loss: random.next(), seconds: 1, metricsBytes: 10 * step, finished: [], report };
  return { store, state: { step, moments }, position: position as unknown as Position };
}

function save(step: number, into = folder): void {
  const { store, state, position } = stateAt(step);
  saveCheckpoint(into, store, state, position);
}

/** The step of the newest sound checkpoint, every number of which is right. */
function load(from = folder, log = silentLog): number | undefined {
  const saved = newestCheckpoint(from, log);
  if (!saved) return undefined;
  const wanted = stateAt(saved.position.step);
  const store = allocateStore(specs);
  const state = restoreCheckpoint(saved, store);
  expect({ state, flat: store.flat, position: saved.position }).toEqual({
    state: wanted.state,
    flat: wanted.store.flat,
    position: wanted.position,
  });
  return saved.position.step;
}

/** Changes one byte of a file. */
function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - 2] = (bytes[bytes.length - 2] as number) ^ 1;
  writeFileSync(path, bytes);
}

describe('a checkpoint', () => {
  it('comes back as it was, and the two newest are kept', () => {
    expect(load()).toBeUndefined();
    for (const step of [2, 4, 10_000_000]) save(step);
    expect(load()).toBe(10_000_000);
    expect(readdirSync(folder).sort()).toEqual(['0-0000004', '0-10000000']);
  });

  it('holds each file with its size and checksum', () => {
    save(2);
    const { files } = JSON.parse(readFileSync(join(folder, '0-0000002', 'manifest.json'), 'utf8'));
    expect(Object.keys(files).sort()).toEqual(['optimizer.safetensors', 'parameters.safetensors', 'position.json']);
    expect(readdirSync(join(folder, '0-0000002')).sort()).toEqual(['manifest.json', ...Object.keys(files)].sort());
  });

  it('is not written again at the same place', () => {
    save(2);
    expect(withFailingDisk(() => save(2), 'ENOSPC', 20).error).toBeUndefined();
    expect(load()).toBe(2);
  });

  it('takes the later ones of a lost future with it', () => {
    for (const step of [2, 6]) save(step);
    save(3);
    expect(readdirSync(folder).sort()).toEqual(['0-0000002', '0-0000003']);
  });
});

describe('a damaged checkpoint', () => {
  const damages: Record<string, (newest: string) => void> = {
    'a changed bit of the weights': (newest) => flip(join(newest, 'parameters.safetensors')),
    'a changed bit of the moments': (newest) => flip(join(newest, 'optimizer.safetensors')),
    'a changed position': (newest) => flip(join(newest, 'position.json')),
    'a file cut short': (newest) => truncateSync(join(newest, 'optimizer.safetensors'), 40),
    'a missing file': (newest) => rmSync(join(newest, 'position.json')),
    'a changed manifest': (newest) => writeFileSync(join(newest, 'manifest.json'), '{"files": {"x": 1}}'),
    'no manifest': (newest) => rmSync(join(newest, 'manifest.json')),
    'an empty folder': (newest) => rmSync(newest, { recursive: true }) ?? mkdirSync(newest),
  };

  it.each(Object.entries(damages))('gives way to the one before: %s', (_, damage) => {
    for (const step of [2, 4]) save(step);
    damage(join(folder, '0-0000004'));
    const warnings: string[] = [];
    expect(load(folder, { info: () => {}, warn: (text) => warnings.push(text) })).toBe(2);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('going back to checkpoint 0-0000002, for 0-0000004 is damaged');
    save(4);
    expect(load()).toBe(4);
  });

  it('is never taken for the beginning of a run', () => {
    for (const step of [2, 4]) save(step);
    for (const name of readdirSync(folder)) flip(join(folder, name, 'parameters.safetensors'));
    expect(() => load()).toThrow(expect.objectContaining({ code: 'run/no-sound-checkpoint' }));
  });
});

describe('a save that fails at any call', () => {
  /** Before the save of step 6 there are 2 and 4, or more. */
  const prepared: Record<string, () => void> = {
    'after two others': () => {},
    'where a damaged one stands': () => {
      save(6);
      flip(join(folder, '0-0000006', 'position.json'));
    },
    'before a lost future': () => save(8),
  };
  const faults: readonly DiskFault[] = ['ENOSPC', 'EIO', 'short', 'kill', 'power'];

  describe.each(Object.entries(prepared))('%s', (name, prepare) => {
    it.each(faults)('%s leaves the last good one, or the new one whole', (fault) => {
      for (const step of [2, 4]) save(step);
      prepare();
      const newest = name === 'before a lost future' ? 8 : 4;
      const trial = () => {
        const copy = join(root, `${++count}`);
        cpSync(folder, copy, { recursive: true });
        return copy;
      };
      const good = trial();
      const { calls } = withFailingDisk(() => save(6, good));
      expect(calls).toBeGreaterThan(30);
      expect(load(good)).toBe(6);
      const ends = new Set<string>();
      for (let at = 1; at <= calls; at++) {
        const copy = trial();
        const { error } = withFailingDisk(() => save(6, copy), fault, at);
        if (fault === 'short') expect(error).toBeUndefined();
        if (error) expect(error, `call ${at}`).toBeInstanceOf(TesseraError);
        const found = load(copy);
        expect([6, newest], `call ${at}`).toContain(found);
        if (!error) expect(found).toBe(6);
        ends.add(`${found}`);
        // The run goes on, and nothing of the failure stays.
        withFailingDisk(() => save(6, copy));
        expect(load(copy)).toBe(6);
        expect(readdirSync(copy).sort()).toEqual(['0-0000004', '0-0000006']);
        rmSync(copy, { recursive: true });
      }
      if (fault !== 'short') expect([...ends].sort()).toEqual(['6', `${newest}`].sort());
    });
  });
});

describe('a checkpoint beside a base', () => {
  const given = (path: string) => path === 'a.weight';
  const baseOf = (store: FlatStore) => ({ given, record: () => recordOf(store, given) });

  it('holds what is trained alone, and comes back beside the same base', () => {
    const { store, state, position } = stateAt(3);
    saveCheckpoint(folder, store, state, position, baseOf(store));
    const saved = newestCheckpoint(folder, silentLog) as NonNullable<ReturnType<typeof newestCheckpoint>>;
    expect([...openSafetensors(join(saved.folder, 'parameters.safetensors')).tensors.keys()]).toEqual(['b.bias']);
    const again = allocateStore(specs);
    again.tensors.get('a.weight')?.data.set(store.tensors.get('a.weight')?.data ?? []);
    expect(restoreCheckpoint(saved, again)).toEqual(state);
    expect(again.flat).toEqual(store.flat);
  });

  it('is refused beside another', () => {
    const { store, state, position } = stateAt(3);
    saveCheckpoint(folder, store, state, position, baseOf(store));
    const saved = newestCheckpoint(folder, silentLog) as NonNullable<ReturnType<typeof newestCheckpoint>>;
    expect(() => restoreCheckpoint(saved, allocateStore(specs))).toThrow(
      expect.objectContaining({ code: 'run/base-changed', remedy: expect.stringContaining('model') }),
    );
  });
});
