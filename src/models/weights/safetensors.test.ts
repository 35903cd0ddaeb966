import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { faultOf } from '../../../test/support/faults.ts';
import { TesseraError } from '../../base/index.ts';
import { openSafetensors, readFloat32, readTensor } from './safetensors.ts';
import { parseHeader } from './safetensors-header.ts';
import type { TensorSource } from './safetensors-write.ts';
import { writeSafetensors } from './safetensors-write.ts';

const folder = mkdtempSync(join(tmpdir(), 'tessera-safetensors-'));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;
const fresh = () => join(folder, `${++count}.safetensors`);

const fixtures = new URL('../../../test/fixtures/weights/', import.meta.url).pathname;

/** A file with this header, text or bytes, and so many data bytes. */
function file(header: string | Uint8Array, dataBytes = 0, length?: bigint): string {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  bytes.set(json, 8);
  const path = fresh();
  writeFileSync(path, bytes);
  return path;
}

const entry = (dtype: string, shape: string, offsets: string) =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;
const good = entry('F32', '[2]', '[0,8]');

/** rule, header, data bytes */
const hostile: readonly [string, string | Uint8Array, number][] = [
  ['header-start', '', 0],
  ['header-start', ` {"a":${good}}`, 8],
  ['header-start', `[{"a":${good}}]`, 8],
  ['header-start', `\ufeff{"a":${good}}`, 8],
  ['utf8', Uint8Array.of(0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x30, 0x7d), 0],
  ['json', '{', 0],
  ['json', `{"a":${good}`, 8],
  ['json', `{"a":${good}}{}`, 8],
  ['json', `{"a":${good},}`, 8],
  ['json', `{"a":${good}}\u0000`, 8],
  ['json', `{'a':${good}}`, 8],
  ['json', `{"a\n":${good}}`, 8],
  ['json', `{"\\x":${good}}`, 8],
  ['json', `{"\\ud800":${good}}`, 8],
  ['json', `{"a":${entry('F32', '[2.0]', '[0,8]')}}`, 8],
  ['json', `{"a":${entry('F32', '[2e0]', '[0,8]')}}`, 8],
  ['json', `{"a":${entry('F32', '[02]', '[0,8]')}}`, 8],
  ['json', `{"a":${entry('F32', '[2]', '[-0,8]')}}`, 8],
  ['json', `{"a":${entry('F32', '[NaN]', '[0,8]')}}`, 8],
  ['json', `{"a":${'['.repeat(200_000)}`, 0],
  ['duplicate-key', `{"a":${good},"a":${good}}`, 8],
  ['duplicate-key', `{"a":${good},"\\u0061":${good}}`, 8],
  ['duplicate-key', `{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8],
  ['duplicate-key', `{"__metadata__":{"k":"1","k":"2"},"a":${good}}`, 8],
  ['duplicate-key', `{"__proto__":${good},"__proto__":${good}}`, 8],
  ['metadata', `{"__metadata__":{"k":1},"a":${good}}`, 8],
  ['metadata', `{"__metadata__":null,"a":${good}}`, 8],
  ['metadata', `{"__metadata__":["k"],"a":${good}}`, 8],
  ['entry', '{"a":null}', 0],
  ['entry', '{"a":{"dtype":"F32","shape":[2]}}', 0],
  ['entry', '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1}}', 8],
  ['dtype', `{"a":${entry('F99', '[2]', '[0,8]')}}`, 8],
  ['dtype', `{"a":${entry('f32', '[2]', '[0,8]')}}`, 8],
  ['dtype', `{"a":${entry('toString', '[2]', '[0,8]')}}`, 8],
  ['shape', `{"a":${entry('F32', '[-2]', '[0,8]')}}`, 8],
  ['shape', `{"a":${entry('F32', '[1.5]', '[0,8]')}}`, 8],
  ['shape', `{"a":${entry('F32', '["2"]', '[0,8]')}}`, 8],
  ['shape', `{"a":${entry('F32', '2', '[0,8]')}}`, 8],
  ['json', `{"a":${entry('F32', '[1e400]', '[0,8]')}}`, 8],
  ['overflow', `{"a":${entry('F32', '[9007199254740993]', '[0,8]')}}`, 8],
  ['overflow', `{"a":${entry('F32', '[4294967296,4294967296,4294967296]', '[0,8]')}}`, 8],
  ['overflow', `{"a":${entry('U8', '[4611686018427387904]', '[0,8]')}}`, 8],
  ['offsets', `{"a":${entry('F32', '[2]', '[8,0]')}}`, 8],
  ['offsets', `{"a":${entry('F32', '[2]', '[-8,0]')}}`, 8],
  ['offsets', `{"a":${entry('F32', '[2]', '[0]')}}`, 8],
  ['offsets', `{"a":${entry('F32', '[2]', '[0,8,8]')}}`, 8],
  ['offsets', `{"a":${entry('F32', '[2]', '[0,18446744073709551615]')}}`, 8],
  ['unaligned', `{"a":${entry('F4', '[3]', '[0,2]')}}`, 2],
  ['size', `{"a":${entry('F32', '[2]', '[0,7]')}}`, 7],
  ['size', `{"a":${entry('F64', '[2]', '[0,8]')}}`, 8],
  ['size', `{"a":${entry('F32', '[0]', '[0,8]')}}`, 8],
  ['overlap', `{"a":${good},"b":${entry('F32', '[2]', '[4,12]')}}`, 12],
  ['overlap', `{"a":${good},"b":${good}}`, 8],
  ['hole', `{"a":${entry('F32', '[2]', '[4,12]')}}`, 12],
  ['hole', `{"a":${good},"b":${entry('F32', '[1]', '[12,16]')}}`, 16],
  ['out-of-bounds', `{"a":${good}}`, 7],
  ['trailing', `{"a":${good}}`, 9],
  ['trailing', '{}', 1],
];

describe('every rule of the format', () => {
  test.each(hostile.map((row) => [row[0], String(row[1]).slice(0, 60), row] as const))('%s: %s', (rule, _, row) => {
    const path = file(row[1], row[2]);
    const error = faultOf(() => openSafetensors(path));
    expect(error.code).toBe(`safetensors/${rule}`);
    expect(error.path).toContain(path);
    expect(error.expected ?? error.got).toBeDefined();
  });

  test('lengths are checked before anything is allocated', () => {
    expect(faultOf(() => openSafetensors(file('{}', 0, 2n ** 63n))).code).toBe('safetensors/header-too-large');
    expect(faultOf(() => openSafetensors(file('{}', 0, 100_000_001n))).code).toBe('safetensors/header-too-large');
    expect(faultOf(() => openSafetensors(file('{}', 0, 100_000_000n))).code).toBe('safetensors/header-cut');
    expect(faultOf(() => openSafetensors(file('{}', 0, 3n))).code).toBe('safetensors/header-cut');
  });

  test('short, missing and unreadable files', () => {
    const path = fresh();
    writeFileSync(path, new Uint8Array(7));
    expect(faultOf(() => openSafetensors(path)).code).toBe('safetensors/too-short');
    expect(faultOf(() => openSafetensors(`${path}.no`)).code).toBe('safetensors/open');
    expect(faultOf(() => openSafetensors(folder)).code).toMatch(/^safetensors\/(open|header-cut|too-short)$/);
  });

  test('an error names tensor, expected and got', () => {
    const path = file(`{"layer.weight":${entry('F32', '[3]', '[0,8]')}}`, 8);
    expect(faultOf(() => openSafetensors(path)).toJSON()).toEqual({
      code: 'safetensors/size',
      message: 'the bytes of a tensor do not fit its shape',
      path: `${path}: layer.weight`,
      expected: '12 bytes for F32 [3]',
      got: '8 bytes',
    });
  });

  test('unusual but valid headers open', () => {
    expect(openSafetensors(file('{}  \n')).tensors.size).toBe(0);
    const names = `{"":${good},"__proto__":${entry('U16', '[0,9]', '[8,8]')},"é\\n":${entry('F6_E2M3', '[4]', '[8,11]')}}`;
    expect([...openSafetensors(file(names, 11)).tensors.keys()]).toEqual(['', '__proto__', 'é\n']);
  });
});

test('reads what Python wrote, in every type', () => {
  const opened = openSafetensors(join(fixtures, 'types.safetensors'));
  const expected = JSON.parse(readFileSync(join(fixtures, 'types.json'), 'utf8')) as Record<
    string,
    { shape: number[]; values: (number | boolean)[] }
  >;
  expect(opened.metadata).toEqual({ format: 'pt', note: 'grüße' });
  expect([...opened.tensors.keys()].sort()).toEqual(Object.keys(expected).sort());
  for (const [name, { shape, values }] of Object.entries(expected)) {
    expect(opened.tensors.get(name)?.shape, name).toEqual(shape);
    if (/^(f|bf|scalar|empty)/.test(name)) {
      expect([...readFloat32(opened, name)], name).toEqual(values.map((v) => Math.fround(v as number)));
    } else if (name !== 'i16') {
      expect(Array.from(readTensor(opened, name).data, Number), name).toEqual(values.map(Number));
    }
  }
  expect(faultOf(() => readTensor(opened, 'i16')).code).toBe('safetensors/dtype-unsupported');
  expect(faultOf(() => readFloat32(opened, 'i64')).code).toBe('safetensors/not-float');
  expect(faultOf(() => readFloat32(opened, 'bool')).code).toBe('safetensors/not-float');
  expect(faultOf(() => readFloat32(opened, 'none')).code).toBe('safetensors/unknown-tensor');
  expect(faultOf(() => readFloat32(opened, 'f32', new Float32Array(9))).code).toBe('safetensors/into-length');
});

const weights = (values: ArrayLike<number>): TensorSource => ({
  shape: [values.length],
  data: Float32Array.from(values),
});

describe('writing', () => {
  test('round trip of types, shapes and order, byte for byte alike', () => {
    const tensors = new Map<string, TensorSource>([
      ['b', { shape: [2, 2], data: Float32Array.of(1, -2, 3.25, -0) }],
      ['a', { shape: [], data: () => Float32Array.of(7) }],
      ['step', { dtype: 'int64', shape: [1], data: BigInt64Array.of(-5n) }],
      ['mask', { dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) }],
      ['none', { shape: [0, 4], data: new Float32Array(0) }],
    ]);
    const [one, two] = [fresh(), fresh()];
    writeSafetensors(one, tensors);
    writeSafetensors(two, new Map([...tensors].reverse()));
    expect(readFileSync(one)).toEqual(readFileSync(two));
    const opened = openSafetensors(one);
    expect([...opened.tensors.keys()]).toEqual(['step', 'a', 'b', 'none', 'mask']);
    expect(opened.metadata).toEqual({ format: 'pt' });
    for (const { begin } of opened.tensors.values()) expect(begin % 4).toBe(0);
    for (const [name, { dtype = 'float32', shape, data }] of tensors) {
      const expected = { dtype, shape, data: typeof data === 'function' ? data() : data };
      expect(readTensor(opened, name)).toEqual(expected);
    }
    const into = new Float32Array(4);
    expect(readFloat32(opened, 'b', into)).toBe(into);
    expect(Object.is(into[3], -0)).toBe(true);
  });

  test('halves round to nearest even, at known bits', () => {
    // ties: 1 + 2^-11 goes down to 1 in f16, 1 + 3 * 2^-11 up; likewise 2^-8 in bf16; 2^-24 is the least f16
    const values = [1, 1 + 2 ** -11, 1 + 3 * 2 ** -11, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 65504, 2 ** -24, -0, 1 / 3];
    const bits = {
      float16: [0x3c00, 0x3c00, 0x3c02, 0x3c04, 0x3c0c, 0x7bff, 0x0001, 0x8000, 0x3555],
      bfloat16: [0x3f80, 0x3f80, 0x3f80, 0x3f80, 0x3f82, 0x4780, 0x3380, 0x8000, 0x3eab],
    };
    for (const dtype of ['float16', 'bfloat16'] as const) {
      const path = fresh();
      writeSafetensors(path, new Map([['w', weights(values)]]), { dtype });
      expect(Array.from(readTensor(openSafetensors(path), 'w').data, Number)).toEqual(bits[dtype]);
    }
  });

  test('halves over several chunks come back exactly', () => {
    const values = Float32Array.from({ length: 1_200_001 }, (_, i) => (i % 251) - 125);
    for (const dtype of ['float16', 'bfloat16'] as const) {
      const path = fresh();
      writeSafetensors(path, new Map([['w', weights(values)]]), { dtype });
      expect(Buffer.from(readFloat32(openSafetensors(path), 'w').buffer).equals(Buffer.from(values.buffer))).toBe(true);
    }
  });

  test('infinities and NaN survive, numbers that would become infinite are refused', () => {
    const path = fresh();
    const special = weights([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]);
    writeSafetensors(path, new Map([['w', special]]), { dtype: 'float16' });
    expect([...readFloat32(openSafetensors(path), 'w')]).toEqual([...(special.data as Float32Array)]);
    const before = readFileSync(path);
    const large = new Map([['w', weights([1, 70000])]]);
    const error = faultOf(() => writeSafetensors(path, large, { dtype: 'float16' }));
    expect([error.code, error.got]).toEqual(['safetensors/range', '70000 at element 1']);
    expect(readFileSync(path)).toEqual(before);
    const doubles = new Map<string, TensorSource>([
      ['w', { dtype: 'float64', shape: [2], data: Float64Array.of(1, 1e39) }],
    ]);
    writeSafetensors(path, doubles);
    expect(faultOf(() => readFloat32(openSafetensors(path), 'w')).code).toBe('safetensors/range');
  });

  test('a failed write leaves the old file and no temporary one', () => {
    const path = fresh();
    writeSafetensors(path, new Map([['w', weights([1])]]));
    const names = readdirSync(folder);
    const wrong: [string, Map<string, TensorSource>][] = [
      ['safetensors/length', new Map([['w', { shape: [3], data: Float32Array.of(1) }]])],
      ['safetensors/array', new Map([['w', { dtype: 'int32', shape: [1], data: Float32Array.of(1) }]])],
      ['safetensors/name', new Map([['__metadata__', weights([1])]])],
      ['safetensors/name', new Map([['\ud800', weights([1])]])],
      ['file/write', new Map([['w', { shape: [1], data: () => thrown() }]])],
    ];
    for (const [code, tensors] of wrong) expect(faultOf(() => writeSafetensors(path, tensors)).code).toBe(code);
    expect(readdirSync(folder)).toEqual(names);
    expect([...readFloat32(openSafetensors(path), 'w')]).toEqual([1]);
  });

  test('saving over a file that is open tells its reader', () => {
    const path = fresh();
    writeSafetensors(path, new Map([['w', weights([1, 2])]]));
    const opened = openSafetensors(path);
    appendFileSync(path, 'x');
    expect(faultOf(() => readFloat32(opened, 'w')).code).toBe('safetensors/changed');
    writeSafetensors(path, new Map([['w', weights([3, 4])]]));
    expect(faultOf(() => readFloat32(opened, 'w')).code).toBe('safetensors/changed');
  });
});

function thrown(): never {
  throw new Error('disk on fire');
}

describe('mutated headers', () => {
  const source = fresh();
  writeSafetensors(
    source,
    new Map([
      ['a', weights([1, 2])],
      ['b', { dtype: 'int64', shape: [1], data: BigInt64Array.of(1n) }],
    ]),
  );
  const original = readFileSync(source);
  const edit = fc.record({ at: fc.nat(original.length - 1), byte: fc.nat(255), cut: fc.nat(3), add: fc.nat(3) });
  const jsonish = fc.constantFrom(...Buffer.from('{}[]",:0123456789-eE.\\ \u0000'));
  const mutated = fc.tuple(fc.array(edit, { minLength: 1, maxLength: 4 }), fc.array(jsonish, { maxLength: 3 }));
  const mutate = (bytes: Buffer, [edits, extra]: typeof mutated extends fc.Arbitrary<infer T> ? T : never) => {
    for (const { at, byte, cut, add } of edits) {
      const put = [byte, ...extra].slice(0, add);
      bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(put), bytes.subarray(at + cut)]);
    }
    return bytes;
  };
  /** True when the tensors cover the data exactly, or the error is one of ours. */
  const sound = (open: () => Iterable<{ begin: number; end: number }>, start: number, size: number) => {
    try {
      let at = start;
      for (const { begin, end } of open()) {
        if (begin !== at) return false;
        at = end;
      }
      return at === size;
    } catch (error) {
      return error instanceof TesseraError && /^safetensors\/[a-z0-9-]+$/.test(error.code);
    }
  };

  test('a header gives tensors that cover the data, or a TesseraError', () => {
    const header = original.subarray(8, original.length - 16);
    const check = fc.property(mutated, (how) => {
      const bytes = mutate(header, how);
      return sound(() => parseHeader(bytes, 16, 'x').tensors, 8 + bytes.length, 8 + bytes.length + 16);
    });
    fc.assert(check, { numRuns: 5000, seed: 7 });
  });

  test('so does a file', () => {
    const target = fresh();
    const check = fc.property(mutated, (how) => {
      const bytes = mutate(original, how);
      writeFileSync(target, bytes);
      const start = bytes.length < 8 ? 0 : 8 + Number(bytes.readBigUInt64LE(0));
      return sound(() => openSafetensors(target).tensors.values(), start, bytes.length);
    });
    fc.assert(check, { numRuns: 300, seed: 8 });
  });
});
