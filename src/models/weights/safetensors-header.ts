import type { DType, Fault } from '../../base/index.ts';
import { TesseraError } from '../../base/index.ts';
import type { JsonObject, JsonValue } from '../../files/index.ts';
import { describeJson, isJsonObject, parseJson } from '../../files/index.ts';

/** Bits of one element, and the host type that holds it where tessera has one. */
interface StoredType {
  readonly bits: number;
  readonly host?: DType;
}

/** Every element type of the format; those without a host type are listed but cannot be read. */
export const storedTypes = {
  BOOL: { bits: 8, host: 'bool' },
  U8: { bits: 8, host: 'uint8' },
  I8: { bits: 8, host: 'int8' },
  F4: { bits: 4 },
  F6_E2M3: { bits: 6 },
  F6_E3M2: { bits: 6 },
  F8_E5M2: { bits: 8 },
  F8_E4M3: { bits: 8 },
  F8_E5M2FNUZ: { bits: 8 },
  F8_E4M3FNUZ: { bits: 8 },
  F8_E8M0: { bits: 8 },
  I16: { bits: 16 },
  U16: { bits: 16 },
  F16: { bits: 16, host: 'float16' },
  BF16: { bits: 16, host: 'bfloat16' },
  I32: { bits: 32, host: 'int32' },
  U32: { bits: 32 },
  F32: { bits: 32, host: 'float32' },
  F64: { bits: 64, host: 'float64' },
  I64: { bits: 64, host: 'int64' },
  U64: { bits: 64 },
  C64: { bits: 64 },
} as const satisfies Record<string, StoredType>;

type StoredDType = keyof typeof storedTypes;

/** One tensor of a file. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  /** First byte and the byte after the last, counted from the start of the file. */
  readonly begin: number;
  readonly end: number;
}

interface Header {
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of their bytes. */
  readonly tensors: readonly StoredTensor[];
}

/** Largest header the format allows, in bytes. */
export const maxHeaderBytes = 100_000_000;

/**
 * Reads the JSON header of a safetensors file and holds it against every rule of the format.
 * @param bytes the header alone, without its length
 * @param dataBytes bytes that follow the header in the file
 * @throws TesseraError with one code a rule, naming file and tensor.
 */
export function parseHeader(bytes: Uint8Array, dataBytes: number, file: string): Header {
  if (bytes[0] !== 0x7b) {
    const got = bytes.length === 0 ? 'an empty header' : `byte 0x${(bytes[0] as number).toString(16).padStart(2, '0')}`;
    fail('header-start', 'the header does not start with a brace', { path: file, expected: 'the byte 0x7b "{"', got });
  }
  const json = parseJson(decodeUtf8(bytes, file), { file, area: 'safetensors', plainIntegers: true }) as JsonObject;
  const { __metadata__: metadata, ...entries } = json;
  const data = 8 + bytes.length;
  const tensors = Object.entries(entries).map(([name, entry]) => readEntry(name, entry, data, file));
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCover(tensors, data, dataBytes, file);
  return { metadata: readMetadata(metadata, file), tensors };
}

function decodeUtf8(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail('utf8', 'the header is not UTF-8', { path: file, expected: 'UTF-8 text', got: 'other bytes' });
  }
}

function readMetadata(value: JsonValue | undefined, file: string): Record<string, string> {
  if (value === undefined) return {};
  if (isJsonObject(value) && Object.values(value).every((v) => typeof v === 'string')) {
    return value as Record<string, string>;
  }
  return fail('metadata', 'the metadata of the file are not text', {
    path: `${file}: __metadata__`,
    expected: 'an object whose values are strings',
    got: describeJson(value),
  });
}

function readEntry(name: string, entry: JsonValue, data: number, file: string): StoredTensor {
  const path = `${file}: ${name}`;
  const keys = isJsonObject(entry) ? Object.keys(entry).sort().join(', ') : describeJson(entry);
  if (!isJsonObject(entry) || keys !== 'data_offsets, dtype, shape') {
    const expected = 'an object with data_offsets, dtype and shape';
    return fail('entry', 'the entry of a tensor is malformed', { path, expected, got: keys });
  }
  const dtype = readDType(entry.dtype, path);
  const shape = readShape(entry.shape, path);
  const [begin, end] = readOffsets(entry.data_offsets, path);
  const bytes = byteLength(shape, dtype, path);
  if (end - begin !== bytes) {
    const expected = `${bytes} bytes for ${dtype} ${describeJson(shape)}`;
    fail('size', 'the bytes of a tensor do not fit its shape', { path, expected, got: `${end - begin} bytes` });
  }
  return { name, dtype, shape, begin: data + begin, end: data + end };
}

function readDType(value: JsonValue | undefined, path: string): StoredDType {
  if (typeof value === 'string' && Object.hasOwn(storedTypes, value)) return value as StoredDType;
  const expected = `one of ${Object.keys(storedTypes).join(', ')}`;
  return fail('dtype', 'the element type is unknown', { path, expected, got: describeJson(value) });
}

function readShape(value: JsonValue | undefined, path: string): readonly number[] {
  const got = describeJson(value);
  if (!Array.isArray(value) || !value.every((d) => typeof d === 'number' && Number.isInteger(d) && d >= 0)) {
    return fail('shape', 'the shape is malformed', { path, expected: 'a list of non-negative integers', got });
  }
  if (!value.every(Number.isSafeInteger)) overflow(path, got);
  return value as number[];
}

function readOffsets(value: JsonValue | undefined, path: string): readonly [number, number] {
  const ok = Array.isArray(value) && value.length === 2;
  const [begin, end] = ok ? value : [];
  if (!isOffset(begin) || !isOffset(end) || begin > end) {
    const expected = 'two non-negative integers, begin <= end';
    return fail('offsets', 'the data offsets are malformed', { path, expected, got: describeJson(value) });
  }
  return [begin, end];
}

function isOffset(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function byteLength(shape: readonly number[], dtype: StoredDType, path: string): number {
  let elements = 1;
  for (const d of shape) elements = checked(elements * d, shape, path);
  const bits = checked(elements * storedTypes[dtype].bits, shape, path);
  if (bits % 8 !== 0) {
    const got = `${bits} bits for ${dtype} ${describeJson(shape)}`;
    fail('unaligned', 'a tensor does not end on a whole byte', { path, expected: 'a multiple of 8 bits', got });
  }
  return bits / 8;
}

function checked(product: number, shape: readonly number[], path: string): number {
  if (!Number.isSafeInteger(product)) overflow(path, describeJson(shape));
  return product;
}

function overflow(path: string, got: string): never {
  return fail('overflow', 'the shape has too many elements', { path, expected: 'fewer than 2^53 bits', got });
}

/** Each tensor must begin where the one before ends, and the last must end with the file. */
function checkCover(tensors: readonly StoredTensor[], data: number, dataBytes: number, file: string): void {
  let at = data;
  for (const { name, begin, end } of tensors) {
    const detail = { path: `${file}: ${name}`, expected: `byte ${at - data}`, got: `byte ${begin - data}` };
    if (begin < at) fail('overlap', 'a tensor begins inside the one before', detail);
    if (begin > at) fail('hole', 'bytes before a tensor belong to no tensor', detail);
    if (end - data > dataBytes) {
      const sizes = { expected: `at most ${dataBytes} bytes of data`, got: `data_offsets up to ${end - data}` };
      fail('out-of-bounds', 'a tensor ends after the file', { ...detail, ...sizes, remedy: 'copy the file again' });
    }
    at = end;
  }
  if (at - data < dataBytes) {
    const expected = `${at - data} bytes of data`;
    fail('trailing', 'bytes after the last tensor belong to no tensor', { path: file, expected, got: `${dataBytes}` });
  }
}

/** Throws `safetensors/<rule>`. */
export function fail(rule: string, message: string, detail: Omit<Fault, 'code' | 'message'>): never {
  throw new TesseraError({ code: `safetensors/${rule}`, message, ...detail });
}
