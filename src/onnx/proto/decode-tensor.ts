import {
  type DType,
  dtypeByCode,
  dtypeInfo,
  elementCount,
  type Tensor,
  TesseraError,
  tensor,
} from '../../base/index.ts';
import type { ExternalData, OnnxInitializer } from './model.ts';
import { fieldBigInts, fieldBytes, fieldInt, fieldInts, fieldNumbers, fieldString, wireFields } from './wire-reader.ts';

/** The dtype of a `TensorProto.DataType` code. */
export function dtypeOf(code: number, where: string): DType {
  const dtype = dtypeByCode.get(code);
  if (dtype) return dtype;
  throw new TesseraError({
    code: 'onnx/dtype',
    message: 'the model holds an element type that tessera does not know',
    path: where,
    expected: [...dtypeByCode].map(([c, name]) => `${c} (${name})`).join(', '),
    got: `${code}`,
  });
}

/** The fields of a `TensorProto` before they are made sense of. */
interface RawTensor {
  name: string;
  code: number;
  dims: number[];
  raw: Uint8Array | undefined;
  numbers: number[];
  integers: bigint[];
  external: Map<string, string>;
  isExternal: boolean;
}

function readRaw(bytes: Uint8Array, where: string): RawTensor {
  const out: RawTensor = {
    name: '',
    code: 0,
    dims: [],
    raw: undefined,
    numbers: [],
    integers: [],
    external: new Map(),
    isExternal: false,
  };
  for (const field of wireFields(bytes, where)) {
    if (field.number === 1) out.dims = out.dims.concat(fieldInts(field));
    else if (field.number === 2) out.code = fieldInt(field);
    else if (field.number === 4) out.numbers = out.numbers.concat(fieldNumbers(field, 4));
    else if (field.number === 5 || field.number === 7) out.integers = out.integers.concat(fieldBigInts(field));
    else if (field.number === 8) out.name = fieldString(field);
    else if (field.number === 9) out.raw = fieldBytes(field);
    else if (field.number === 10) out.numbers = out.numbers.concat(fieldNumbers(field, 8));
    else if (field.number === 13) out.external.set(...readEntry(fieldBytes(field), where));
    else if (field.number === 14) out.isExternal = fieldInt(field) === 1;
  }
  return out;
}

/** A `StringStringEntryProto`. */
export function readEntry(bytes: Uint8Array, where: string): [key: string, value: string] {
  let key = '';
  let value = '';
  for (const field of wireFields(bytes, where)) {
    if (field.number === 1) key = fieldString(field);
    else if (field.number === 2) value = fieldString(field);
  }
  return [key, value];
}

/** An initializer, embedded or external. */
export function readInitializer(bytes: Uint8Array, where: string): OnnxInitializer {
  const raw = readRaw(bytes, where);
  if (!raw.isExternal) return { name: raw.name, tensor: toTensor(raw, `${where} ${raw.name}`) };
  const dtype = dtypeOf(raw.code, `${where} ${raw.name}`);
  const length = elementCount(raw.dims) * dtypeInfo[dtype].bytes;
  return { name: raw.name, dtype, shape: raw.dims, external: externalData(raw, length) };
}

/** A tensor whose data must stand in the model. */
export function readTensor(bytes: Uint8Array, where: string): Tensor {
  const raw = readRaw(bytes, where);
  if (!raw.isExternal) return toTensor(raw, where);
  throw new TesseraError({ code: 'onnx/external', message: 'only initializers may be external data', path: where });
}

function externalData(raw: RawTensor, length: number): ExternalData {
  const location = raw.external.get('location');
  const found = {
    offset: Number(raw.external.get('offset') ?? 0),
    length: Number(raw.external.get('length') ?? length),
  };
  if (location !== undefined && Number.isSafeInteger(found.offset) && found.length === length) {
    return { location, ...found };
  }
  throw new TesseraError({
    code: 'onnx/external',
    message: 'the external data of an initializer is not described fully',
    path: raw.name,
    expected: `a location, an offset and ${length} bytes`,
    got: [...raw.external].map(([key, value]) => `${key}=${value}`).join(', ') || 'nothing',
  });
}

function toTensor(raw: RawTensor, where: string): Tensor {
  const dtype = dtypeOf(raw.code, where);
  const count = elementCount(raw.dims);
  const got = raw.raw ? raw.raw.byteLength / dtypeInfo[dtype].bytes : raw.numbers.length + raw.integers.length;
  if (got !== count || raw.dims.some((dim) => dim < 0)) {
    throw new TesseraError({
      code: 'onnx/tensor-length',
      message: 'the data of a tensor does not fill its shape',
      path: where,
      expected: `${count} elements of ${dtype}`,
      got: `${got}`,
    });
  }
  return tensor(dtype, raw.dims, raw.raw ? fromRaw(raw.raw, dtype) : fromFields(raw, dtype, count));
}

/** Copies, because a file's bytes need not be aligned to the element. */
function fromRaw(raw: Uint8Array, dtype: DType): Tensor['data'] {
  return new dtypeInfo[dtype].array(new Uint8Array(raw).buffer);
}

/** Data from the typed fields; half precisions and small integers share `int32_data`. */
function fromFields(raw: RawTensor, dtype: DType, count: number): Tensor['data'] {
  const out = new dtypeInfo[dtype].array(count);
  for (let i = 0; i < count; i++) {
    const integer = raw.integers[i];
    if (out instanceof BigInt64Array) out[i] = BigInt.asIntN(64, integer ?? 0n);
    else out[i] = integer === undefined ? (raw.numbers[i] as number) : Number(BigInt.asIntN(64, integer));
  }
  return out;
}
