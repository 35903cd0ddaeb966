import { TesseraError } from '../../base/index.ts';

const utf8 = new TextEncoder();

/** Arrays above this many bytes are kept by reference until the one copy into the finished message. */
const INLINE_BYTES = 64;

/** Writes protobuf fields in order. Large byte fields are copied once, when the outermost message is finished. */
export class WireWriter {
  readonly #parts: Uint8Array[] = [];
  #small: number[] = [];
  #length = 0;

  /** A signed integer as a varint; negative ones take ten bytes, as the format demands. */
  int(field: number, value: number): void {
    this.#varint(field * 8);
    this.#signed(value);
  }

  float(field: number, value: number): void {
    this.#varint(field * 8 + 5);
    this.#bytes(new Uint8Array(Float32Array.of(value).buffer));
  }

  double(field: number, value: number): void {
    this.#varint(field * 8 + 1);
    this.#bytes(new Uint8Array(Float64Array.of(value).buffer));
  }

  string(field: number, value: string): void {
    this.bytes(field, utf8.encode(value));
  }

  bytes(field: number, value: Uint8Array): void {
    this.#varint(field * 8 + 2);
    this.#varint(value.byteLength);
    this.#bytes(value);
  }

  packedInts(field: number, values: readonly number[]): void {
    const packed = new WireWriter();
    for (const value of values) packed.#signed(value);
    this.#nested(field, packed);
  }

  packedFloats(field: number, values: readonly number[]): void {
    this.bytes(field, new Uint8Array(Float32Array.from(values).buffer));
  }

  message(field: number, write: (inner: WireWriter) => void): void {
    const inner = new WireWriter();
    write(inner);
    this.#nested(field, inner);
  }

  /** @throws TesseraError `onnx/too-large` beyond the 2 GB that protobuf can hold. */
  finish(): Uint8Array<ArrayBuffer> {
    this.#flush();
    if (this.#length > 0x7fffffff) {
      throw new TesseraError({
        code: 'onnx/too-large',
        message: 'the model does not fit in one ONNX file',
        expected: 'at most 2147483647 bytes',
        got: `${this.#length} bytes`,
        remedy: 'keep weights as external data or feed them as inputs',
      });
    }
    const out = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      out.set(part, at);
      at += part.byteLength;
    }
    return out;
  }

  #nested(field: number, inner: WireWriter): void {
    inner.#flush();
    this.#varint(field * 8 + 2);
    this.#varint(inner.#length);
    for (const part of inner.#parts) this.#bytes(part);
  }

  #bytes(value: Uint8Array): void {
    this.#length += value.byteLength;
    if (value.byteLength <= INLINE_BYTES) {
      for (const byte of value) this.#small.push(byte);
      return;
    }
    this.#flush();
    this.#parts.push(value);
  }

  #signed(value: number): void {
    if (!Number.isSafeInteger(value)) {
      throw new TesseraError({
        code: 'onnx/integer',
        message: 'the number cannot be written as an integer',
        expected: 'a safe integer',
        got: `${value}`,
      });
    }
    if (value >= 0) this.#varint(value);
    else this.#negative(value);
  }

  #negative(value: number): void {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (let i = 0; i < 9; i++) {
      this.#small.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.#small.push(Number(rest));
    this.#length += 10;
  }

  /** A non-negative safe integer, seven bits a byte, lowest first. */
  #varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.#small.push((rest % 128) | 0x80);
      rest = Math.floor(rest / 128);
      this.#length++;
    }
    this.#small.push(rest);
    this.#length++;
  }

  #flush(): void {
    if (this.#small.length === 0) return;
    this.#parts.push(Uint8Array.from(this.#small));
    this.#small = [];
  }
}
