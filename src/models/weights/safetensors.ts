import type { DType, HostArrays, Tensor } from '../../base/index.ts';
import { asTesseraError, bytesOf, dtypeInfo, elementCount, formatShape } from '../../base/index.ts';
import { type OpenFile, refusePointer, withFile } from '../../files/index.ts';
import { widen } from './convert.ts';
import type { StoredTensor } from './safetensors-header.ts';
import { fail, maxHeaderBytes, parseHeader, storedTypes } from './safetensors-header.ts';

/** An opened file: its header, checked. Tensors are read when they are asked for; no descriptor stays open. */
export interface SafetensorsFile {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of their bytes. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Size and change time when the header was read, so that a file changed since is noticed. */
  readonly stamp: string;
}

/** Bytes converted at a time. */
const chunkBytes = 1 << 20;

/**
 * Opens a safetensors file and checks its header; reads no tensor.
 * @throws TesseraError `safetensors/<rule>`, see `parseHeader`.
 */
export function openSafetensors(path: string): SafetensorsFile {
  return opened(path, (open) => {
    const { bytes: size, stamp } = open;
    const length = new Uint8Array(8);
    if (open.read(length, 0) < 8) {
      fail('too-short', 'the file is too short', { path, expected: 'at least 8 bytes', got: `${size} bytes` });
    }
    const headerBytes = new DataView(length.buffer).getBigUint64(0, true);
    if (headerBytes > BigInt(maxHeaderBytes)) {
      const begin = new Uint8Array(Math.min(size, 256));
      open.read(begin, 0);
      refusePointer(begin, path);
      const expected = `at most ${maxHeaderBytes} bytes`;
      fail('header-too-large', 'the header is too large', { path, expected, got: `${headerBytes} bytes` });
    }
    const header = Number(headerBytes);
    if (8 + header > size) {
      const [expected, got] = [`at least ${8 + header} bytes`, `${size} bytes`];
      fail('header-cut', 'the file ends inside its header', { path, expected, got, remedy: 'copy the file again' });
    }
    const bytes = new Uint8Array(header);
    if (open.read(bytes, 8) < header) changed(path);
    const { metadata, tensors } = parseHeader(bytes, size - 8 - header, path);
    return { path, metadata, tensors: new Map(tensors.map((t) => [t.name, t])), stamp };
  });
}

/**
 * Reads one tensor as it is stored.
 * @throws TesseraError `safetensors/unknown-tensor`, `safetensors/dtype-unsupported`, `safetensors/changed`.
 */
export function readTensor(file: SafetensorsFile, name: string): Tensor {
  const stored = find(file, name);
  const dtype = hostType(file, stored);
  const data = new dtypeInfo[dtype].array(elementCount(stored.shape));
  opened(file.path, (open) => readPart(file, open, bytesOf(data), stored.begin));
  return { dtype, shape: stored.shape, data };
}

/**
 * Reads one floating-point tensor as float32, into `into` when it is given; halves and float64 are converted in pieces.
 * @throws TesseraError `safetensors/not-float` for integers and booleans, `safetensors/into-length`,
 * `safetensors/range` for a float64 that float32 cannot hold.
 */
export function readFloat32(
  file: SafetensorsFile,
  name: string,
  into?: Float32Array<ArrayBuffer>,
): Float32Array<ArrayBuffer> {
  const stored = find(file, name);
  const path = `${file.path}: ${name}`;
  const dtype = hostType(file, stored);
  if (dtype !== 'float32' && dtype !== 'float16' && dtype !== 'bfloat16' && dtype !== 'float64') {
    return fail('not-float', 'the tensor does not hold floating-point numbers', {
      path,
      expected: 'F32, F16, BF16 or F64',
      got: stored.dtype,
    });
  }
  const count = elementCount(stored.shape);
  const out = into ?? new Float32Array(count);
  if (out.length !== count) {
    const expected = `${count} elements for ${formatShape(stored.shape)}`;
    fail('into-length', 'the array given does not fit the tensor', { path, expected, got: `${out.length} elements` });
  }
  opened(file.path, (open) => {
    if (dtype === 'float32') readPart(file, open, bytesOf(out), stored.begin);
    else readWidened(file, open, stored, dtype, out);
  });
  return out;
}

function readWidened(
  file: SafetensorsFile,
  open: OpenFile,
  stored: StoredTensor,
  dtype: 'float16' | 'bfloat16' | 'float64',
  out: Float32Array,
): void {
  const width = dtypeInfo[dtype].bytes;
  const chunk: HostArrays[typeof dtype] = new dtypeInfo[dtype].array(Math.min(chunkBytes / width, out.length));
  for (let at = 0; at < out.length; at += chunk.length) {
    const part = chunk.subarray(0, Math.min(chunk.length, out.length - at));
    readPart(file, open, bytesOf(part), stored.begin + at * width);
    const bad = widen(dtype, part, out.subarray(at, at + part.length));
    if (bad !== undefined) {
      const [path, got] = [`${file.path}: ${stored.name}`, `${part[bad]} at element ${at + bad}`];
      fail('range', 'a float64 does not fit float32', { path, expected: 'at most 3.4028235e38 in size', got });
    }
  }
}

function find(file: SafetensorsFile, name: string): StoredTensor {
  const stored = file.tensors.get(name);
  if (stored) return stored;
  const expected = `one of the ${file.tensors.size} tensors of the file`;
  return fail('unknown-tensor', 'the file has no such tensor', { path: file.path, expected, got: name });
}

function hostType(file: SafetensorsFile, { name, dtype }: StoredTensor): DType {
  const type = storedTypes[dtype];
  if ('host' in type) return type.host;
  const remedy = 'save the weights as F32, BF16 or F16';
  const detail = { path: `${file.path}: ${name}`, expected: 'a type that tessera computes with', got: dtype, remedy };
  return fail('dtype-unsupported', 'tessera cannot read this element type', detail);
}

function readPart(file: SafetensorsFile, open: OpenFile, target: Uint8Array, position: number): void {
  if (open.stamp !== file.stamp || open.read(target, position) < target.length) changed(file.path);
}

function changed(path: string): never {
  const remedy = 'let nothing write to the file while it is in use';
  return fail('changed', 'the file changed after it was opened', { path, remedy });
}

function opened<T>(path: string, use: (open: OpenFile) => T): T {
  try {
    return withFile(path, use);
  } catch (error) {
    throw asTesseraError(error, { code: 'safetensors/open', path, expected: 'a readable safetensors file' });
  }
}
