import { TesseraError } from '../../base/index.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** One field of a message, checked by the accessor that reads it. */
export interface WireField {
  readonly number: number;
  /** Which message it stands in, for error text. */
  readonly where: string;
  /** Wire type: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes. */
  readonly wire: number;
  /** The varint of wire type 0, otherwise 0. */
  readonly varint: bigint;
  /** The payload of the other wire types, sharing the file's memory. */
  readonly bytes: Uint8Array;
}

const NOTHING = new Uint8Array(0);

function corrupt(where: string, message: string, got: string): TesseraError {
  return new TesseraError({
    code: 'onnx/corrupt',
    message,
    path: where,
    expected: 'a serialised ONNX model',
    got,
    remedy: 'check that the file is complete and is an .onnx file',
  });
}

/** Reads a varint and returns it with the position behind it. */
function readVarint(bytes: Uint8Array, start: number, where: string): [bigint, number] {
  let value = 0n;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[start + i];
    if (byte === undefined) throw corrupt(where, 'the model ends inside a number', `end of data at byte ${start + i}`);
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) return [BigInt.asUintN(64, value), start + i + 1];
  }
  throw corrupt(where, 'a number runs over its ten bytes', `byte ${start} of ${where}`);
}

function payload(bytes: Uint8Array, start: number, length: number, where: string): Uint8Array {
  if (start + length > bytes.byteLength) {
    const got = `${bytes.byteLength - start} of ${length} bytes`;
    throw corrupt(where, 'the model ends inside a field', got);
  }
  return bytes.subarray(start, start + length);
}

/** The fields of a message in order. `where` names the message in errors. */
export function* wireFields(bytes: Uint8Array, where: string): Generator<WireField> {
  let at = 0;
  while (at < bytes.byteLength) {
    const [tag, afterTag] = readVarint(bytes, at, where);
    const number = Number(tag >> 3n);
    const wire = Number(tag & 7n);
    if (number === 0 || number > 0x1fffffff) throw corrupt(where, 'a field number is out of range', `${number}`);
    if (wire === 0) {
      const [varint, next] = readVarint(bytes, afterTag, where);
      yield { number, where, wire, varint, bytes: NOTHING };
      at = next;
    } else {
      const [length, start] = payloadSpan(bytes, wire, afterTag, where);
      yield { number, where, wire, varint: 0n, bytes: payload(bytes, start, length, where) };
      at = start + length;
    }
  }
}

/** Length and start of a payload that is no varint. */
function payloadSpan(bytes: Uint8Array, wire: number, at: number, where: string): [number, number] {
  if (wire === 1) return [8, at];
  if (wire === 5) return [4, at];
  if (wire !== 2) throw corrupt(where, 'a field has a wire type that ONNX does not use', `${wire}`);
  const [length, start] = readVarint(bytes, at, where);
  return [Number(length), start];
}

function expectWire(field: WireField, wire: number): void {
  if (field.wire !== wire) {
    throw corrupt(field.where, `field ${field.number} has the wrong wire type`, `${field.wire}, expected ${wire}`);
  }
}

/** A signed integer that fits a JavaScript number. */
export function fieldInt(field: WireField): number {
  expectWire(field, 0);
  return safeInt(field.varint, field.where);
}

export function fieldFloat(field: WireField): number {
  expectWire(field, 5);
  return viewOf(field.bytes).getFloat32(0, true);
}

export function fieldBytes(field: WireField): Uint8Array {
  expectWire(field, 2);
  return field.bytes;
}

export function fieldString(field: WireField): string {
  expectWire(field, 2);
  try {
    return utf8.decode(field.bytes);
  } catch {
    throw corrupt(field.where, `field ${field.number} is no UTF-8 text`, `${field.bytes.byteLength} bytes`);
  }
}

/** The integers of a repeated field, whether it is packed or not. */
export function fieldInts(field: WireField): number[] {
  return fieldBigInts(field).map((value) => safeInt(value, field.where));
}

export function fieldBigInts(field: WireField): bigint[] {
  if (field.wire === 0) return [field.varint];
  expectWire(field, 2);
  const out: bigint[] = [];
  let at = 0;
  while (at < field.bytes.byteLength) {
    const [value, next] = readVarint(field.bytes, at, field.where);
    out.push(value);
    at = next;
  }
  return out;
}

/** The fixed-width numbers of a repeated field, whether it is packed or not; `width` is 4 or 8 bytes. */
export function fieldNumbers(field: WireField, width: 4 | 8): number[] {
  if (field.wire !== (width === 4 ? 5 : 1)) expectWire(field, 2);
  if (field.bytes.byteLength % width !== 0) {
    throw corrupt(field.where, 'a packed field is cut', `${field.bytes.byteLength} bytes of ${width} each`);
  }
  const view = viewOf(field.bytes);
  return Array.from({ length: field.bytes.byteLength / width }, (_, i) =>
    width === 4 ? view.getFloat32(i * 4, true) : view.getFloat64(i * 8, true),
  );
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function safeInt(value: bigint, where: string): number {
  const signed = Number(BigInt.asIntN(64, value));
  if (!Number.isSafeInteger(signed)) {
    throw new TesseraError({
      code: 'onnx/integer',
      message: 'the model holds an integer that a JavaScript number cannot',
      path: where,
      expected: 'a safe integer',
      got: `${BigInt.asIntN(64, value)}`,
    });
  }
  return signed;
}
