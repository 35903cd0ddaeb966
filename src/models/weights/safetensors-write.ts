import type { DType, HostArray } from '../../base/index.ts';
import { bytesOf, dtypeInfo, elementCount, formatShape } from '../../base/index.ts';
import { type Write, writeFileAtomically } from '../../files/index.ts';
import type { SaveDType } from './convert.ts';
import { narrow } from './convert.ts';
import { fail, maxHeaderBytes } from './safetensors-header.ts';

/**
 * A tensor to save. `dtype` says what `data` holds (default float32); a function is called when its turn comes, so that
 * a model larger than memory can be written.
 */
export interface TensorSource {
  readonly dtype?: DType;
  readonly shape: readonly number[];
  readonly data: HostArray | (() => HostArray);
}

export interface WriteOptions {
  /** What float32 tensors are stored as; other types are stored as they are. Default float32. */
  readonly dtype?: SaveDType;
  /** Text pairs for the header; default `{ format: 'pt' }`, which other loaders ask for. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Sees the bytes of the file as they are written. */
  readonly observe?: Write;
}

interface Placed extends TensorSource {
  readonly name: string;
  readonly stored: DType;
  readonly bytes: number;
}

/** Elements rounded at a time. */
const chunkElements = 1 << 19;

/**
 * Writes a safetensors file: widest types first, then by name, so that equal tensors give equal bytes and each tensor
 * is aligned. The file appears whole or not at all.
 * @throws TesseraError `safetensors/length` when data do not fill their shape, `safetensors/range` when a finite number
 * would become infinite in the type asked for, `safetensors/name` for `__metadata__` and malformed Unicode.
 */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, TensorSource>,
  options: WriteOptions = {},
): void {
  const placed = place(tensors, options.dtype ?? 'float32');
  const header = encodeHeader(path, placed, options.metadata ?? { format: 'pt' });
  writeFileAtomically(path, (write) => {
    const put: Write = (bytes) => {
      options.observe?.(bytes);
      write(bytes);
    };
    put(header);
    for (const tensor of placed) writeData(path, put, tensor);
  });
}

/** Bytes that a tensor takes in a file. */
export function storedBytes(tensor: TensorSource, saveAs: SaveDType): number {
  return elementCount(tensor.shape) * dtypeInfo[storedType(tensor, saveAs)].bytes;
}

function storedType({ dtype = 'float32' }: TensorSource, saveAs: SaveDType): DType {
  return dtype === 'float32' ? saveAs : dtype;
}

function place(tensors: ReadonlyMap<string, TensorSource>, saveAs: SaveDType): Placed[] {
  const placed = Array.from(tensors, ([name, tensor]) => {
    return { ...tensor, name, stored: storedType(tensor, saveAs), bytes: storedBytes(tensor, saveAs) };
  });
  const width = (t: Placed) => dtypeInfo[t.stored].bytes;
  return placed.sort((a, b) => width(b) - width(a) || (a.name < b.name ? -1 : 1));
}

function encodeHeader(path: string, placed: readonly Placed[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const sorted = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  const parts = [`"__metadata__":${JSON.stringify(Object.fromEntries(sorted))}`];
  let at = 0;
  for (const { name, stored, shape, bytes } of placed) {
    if (name === '__metadata__' || /\p{Surrogate}/u.test(name)) {
      fail('name', 'a tensor has a name that the format refuses', { path, got: JSON.stringify(name) });
    }
    const entry = { dtype: dtypeInfo[stored].safetensors, shape, data_offsets: [at, at + bytes] };
    parts.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
    at += bytes;
  }
  return frame(path, new TextEncoder().encode(`{${parts.join(',')}}`));
}

/** Puts the length before the header and spaces after it, so that the data start at a multiple of 8 bytes. */
function frame(path: string, json: Uint8Array): Uint8Array {
  const length = Math.ceil(json.length / 8) * 8;
  if (length > maxHeaderBytes) {
    const expected = `at most ${maxHeaderBytes} bytes`;
    fail('header-too-large', 'the header is too large', { path, expected, got: `${length} bytes` });
  }
  const out = new Uint8Array(8 + length).fill(0x20);
  new DataView(out.buffer).setBigUint64(0, BigInt(length), true);
  out.set(json, 8);
  return out;
}

function writeData(file: string, write: Write, tensor: Placed): void {
  const data = typeof tensor.data === 'function' ? tensor.data() : tensor.data;
  const path = `${file}: ${tensor.name}`;
  const { array } = dtypeInfo[tensor.dtype ?? 'float32'];
  if (!(data instanceof array)) {
    const detail = { path, expected: array.name, got: data.constructor.name };
    fail('array', 'the data do not have the type that was said', detail);
  }
  if (data.length !== elementCount(tensor.shape)) {
    const expected = `${elementCount(tensor.shape)} elements for ${formatShape(tensor.shape)}`;
    fail('length', 'the data do not fill the shape', { path, expected, got: `${data.length}` });
  }
  if (tensor.stored === (tensor.dtype ?? 'float32')) write(bytesOf(data));
  else writeNarrowed(path, write, data as Float32Array, tensor.stored as 'float16' | 'bfloat16');
}

function writeNarrowed(path: string, write: Write, data: Float32Array, stored: 'float16' | 'bfloat16'): void {
  const chunk = new Uint16Array(Math.min(chunkElements, data.length));
  for (let at = 0; at < data.length; at += chunk.length) {
    const part = data.subarray(at, at + chunk.length);
    const lost = narrow(stored, part, chunk);
    if (lost !== undefined) {
      const [expected, got] = [`numbers that ${stored} can hold`, `${part[lost]} at element ${at + lost}`];
      fail('range', `a number would become infinite in ${stored}`, { path, expected, got, remedy: 'save as float32' });
    }
    write(bytesOf(chunk.subarray(0, part.length)));
  }
}
