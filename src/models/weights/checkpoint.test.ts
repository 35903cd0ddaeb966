import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { codesOf } from '../../../test/support/faults.ts';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { openCheckpoint } from './checkpoint.ts';
import { writeCheckpoint } from './checkpoint-write.ts';
import type { TensorSource } from './safetensors-write.ts';
import { writeSafetensors } from './safetensors-write.ts';

const { fresh } = scratchFolder();

const tensors = new Map<string, TensorSource>(
  ['a', 'b', 'c', 'd'].map((name, i) => [name, { shape: [3], data: Float32Array.of(i, i + 0.5, -i) }]),
);

function sharded(): string {
  const folder = fresh();
  writeCheckpoint(folder, tensors, { maxShardBytes: 24 });
  return folder;
}

const indexName = 'model.safetensors.index.json';
const shard = (i: number) => `model-0000${i}-of-00002.safetensors`;

function editIndex(folder: string, edit: (index: { metadata: object; weight_map: Record<string, unknown> }) => void) {
  const path = join(folder, indexName);
  const index = JSON.parse(readFileSync(path, 'utf8'));
  edit(index);
  writeFileSync(path, JSON.stringify(index));
}

const codes = (folder: string): string[] => codesOf(() => openCheckpoint(folder));

describe('round trips', () => {
  test.each(['float32', 'float16', 'bfloat16'] as const)('one file and shards, %s', (dtype) => {
    for (const maxShardBytes of [1e9, 24, 1]) {
      const folder = fresh();
      const files = writeCheckpoint(folder, tensors, { dtype, maxShardBytes });
      expect(readdirSync(folder).sort()).toEqual([...files].sort());
      const checkpoint = openCheckpoint(folder);
      expect([...checkpoint.tensors.keys()]).toEqual(['a', 'b', 'c', 'd']);
      for (const [name, { data }] of tensors) expect(checkpoint.read(name)).toEqual(data);
      const stored = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' }[dtype];
      expect([...checkpoint.types]).toEqual([[stored, { tensors: 4, elements: 12 }]]);
    }
  });

  test('shards hold as many bytes as allowed, and the index says so', () => {
    const folder = sharded();
    expect(readdirSync(folder).sort()).toEqual([shard(1), shard(2), indexName]);
    expect(JSON.parse(readFileSync(join(folder, indexName), 'utf8'))).toEqual({
      metadata: { total_parameters: 12, total_size: 48 },
      weight_map: { a: shard(1), b: shard(1), c: shard(2), d: shard(2) },
    });
  });

  test('another stem beside it', () => {
    const folder = sharded();
    writeCheckpoint(folder, tensors, { stem: 'adapter_model' });
    expect(openCheckpoint(folder, 'adapter_model').tensors.size).toBe(4);
    expect(openCheckpoint(folder).tensors.size).toBe(4);
  });

  test('left-over shards are not mixed with new ones', () => {
    expect(() => writeCheckpoint(sharded(), tensors)).toThrow(expect.objectContaining({ code: 'checkpoint/exists' }));
    expect(() => writeCheckpoint(fresh(), tensors, { maxShardBytes: 0 })).toThrow(
      expect.objectContaining({ code: 'checkpoint/shard-bytes' }),
    );
  });
});

describe('an index that does not fit its shards', () => {
  test('a tensor that is in no shard, and one that is in no entry, both at once', () => {
    const folder = sharded();
    editIndex(folder, ({ weight_map }) => {
      delete weight_map.a;
      weight_map.z = shard(1);
    });
    expect(codes(folder)).toEqual(['checkpoint/unlisted-tensor', 'checkpoint/absent-tensor']);
  });

  test('a shard that it never names', () => {
    const folder = sharded();
    editIndex(folder, (index) => {
      index.metadata = {};
      for (const name of ['c', 'd']) delete index.weight_map[name];
    });
    expect(codes(folder)).toEqual(['checkpoint/unlisted-shard']);
  });

  test('a tensor in two shards', () => {
    const folder = sharded();
    rmSync(join(folder, shard(2)));
    writeSafetensors(join(folder, shard(2)), new Map([...tensors].slice(1)));
    expect(codes(folder)).toEqual(['checkpoint/unlisted-tensor']);
  });

  test.each([
    ['checkpoint/total-size', (i: { metadata: object }) => Object.assign(i.metadata, { total_size: 47 })],
    ['checkpoint/index', (i: { metadata: object }) => Object.assign(i.metadata, { total_size: '48' })],
    ['checkpoint/index', (i: { weight_map: object }) => Object.assign(i, { weight_map: [] })],
    ['checkpoint/index', (i: { weight_map: object }) => Object.assign(i.weight_map, { a: 'model.bin' })],
    ['file/name', (i: { weight_map: object }) => Object.assign(i.weight_map, { a: '../1/model.safetensors' })],
    ['file/name', (i: { weight_map: object }) => Object.assign(i.weight_map, { a: '/etc/x.safetensors' })],
    ['checkpoint/missing-shard', (i: { weight_map: object }) => Object.assign(i.weight_map, { a: 'no.safetensors' })],
  ])('%s', (code, edit) => {
    const folder = sharded();
    editIndex(folder, edit as never);
    expect(codes(folder)).toEqual([code]);
  });
});

test('folders without usable weights say what they hold and what to do', () => {
  const folder = fresh();
  expect(codes(folder)).toEqual(['checkpoint/missing']);
  expect(codes(join(folder, 'no'))).toEqual(['checkpoint/folder']);
  for (const name of ['pytorch_model.bin', 'consolidated.00.pth', 'pytorch_model.bin.index.json', 'x.pth.tar']) {
    const old = fresh();
    writeFileSync(join(old, name), '');
    expect(() => openCheckpoint(old)).toThrow(
      expect.objectContaining({
        code: 'checkpoint/legacy-pickle',
        got: name,
        remedy: expect.stringContaining('safetensors'),
      }),
    );
  }
  const both = sharded();
  cpSync(join(both, shard(1)), join(both, 'model.safetensors'));
  expect(codes(both)).toEqual(['checkpoint/ambiguous']);
  const read = () => openCheckpoint(sharded()).read('x');
  expect(read).toThrow(expect.objectContaining({ code: 'checkpoint/unknown-tensor' }));
});
