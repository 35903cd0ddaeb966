/** Element types a tensor may have, on the host and in a graph. */
export type DType = 'float32' | 'float64' | 'float16' | 'bfloat16' | 'int64' | 'int32' | 'uint8' | 'int8' | 'bool';

/** Host storage. Half precisions are kept as their raw 16 bits; booleans as bytes 0 and 1. */
export interface HostArrays {
  float32: Float32Array<ArrayBuffer>;
  float64: Float64Array<ArrayBuffer>;
  float16: Uint16Array<ArrayBuffer>;
  bfloat16: Uint16Array<ArrayBuffer>;
  int64: BigInt64Array<ArrayBuffer>;
  int32: Int32Array<ArrayBuffer>;
  uint8: Uint8Array<ArrayBuffer>;
  int8: Int8Array<ArrayBuffer>;
  bool: Uint8Array<ArrayBuffer>;
}

export type HostArray = HostArrays[DType];

interface DTypeInfo<D extends DType> {
  readonly bytes: number;
  readonly array: {
    new (length: number): HostArrays[D];
    new (buffer: ArrayBuffer, byteOffset?: number, length?: number): HostArrays[D];
  };
  /** `TensorProto.DataType` of ONNX, which ONNX Runtime's C API shares. */
  readonly onnx: number;
  /** Name in a safetensors header. */
  readonly safetensors: string;
}

export const dtypeInfo: { readonly [D in DType]: DTypeInfo<D> } = {
  float32: { bytes: 4, array: Float32Array, onnx: 1, safetensors: 'F32' },
  float64: { bytes: 8, array: Float64Array, onnx: 11, safetensors: 'F64' },
  float16: { bytes: 2, array: Uint16Array, onnx: 10, safetensors: 'F16' },
  bfloat16: { bytes: 2, array: Uint16Array, onnx: 16, safetensors: 'BF16' },
  int64: { bytes: 8, array: BigInt64Array, onnx: 7, safetensors: 'I64' },
  int32: { bytes: 4, array: Int32Array, onnx: 6, safetensors: 'I32' },
  uint8: { bytes: 1, array: Uint8Array, onnx: 2, safetensors: 'U8' },
  int8: { bytes: 1, array: Int8Array, onnx: 3, safetensors: 'I8' },
  bool: { bytes: 1, array: Uint8Array, onnx: 9, safetensors: 'BOOL' },
};

/** Dtypes by their code in ONNX. */
export const dtypeByCode: ReadonlyMap<number, DType> = new Map(
  Object.entries(dtypeInfo).map(([name, info]) => [info.onnx, name as DType]),
);

const scratch = new DataView(new ArrayBuffer(4));

/** Rounds a float32 to bfloat16 bits, nearest even; NaN stays NaN. */
export function toBfloat16Bits(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  if (Number.isNaN(value)) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** Widens bfloat16 bits to the float32 they stand for. */
export function fromBfloat16Bits(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

/** Rounds a float32 to IEEE half bits, nearest even, with subnormals and infinities. */
export function toFloat16Bits(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  const mantissa = bits & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00 | (mantissa ? 0x200 | (mantissa >>> 13) : 0);
  const e = exponent - 112;
  if (e >= 31) return sign | 0x7c00;
  if (e <= 0) {
    if (e < -10) return sign;
    const m = mantissa | 0x800000;
    const shift = 14 - e;
    const half = m >>> shift;
    const rest = m & ((1 << shift) - 1);
    const middle = 1 << (shift - 1);
    return sign | (half + (rest > middle || (rest === middle && (half & 1) === 1) ? 1 : 0));
  }
  const half = (e << 10) | (mantissa >>> 13);
  const rest = mantissa & 0x1fff;
  return sign | (half + (rest > 0x1000 || (rest === 0x1000 && (half & 1) === 1) ? 1 : 0));
}

/** Widens IEEE half bits to the float32 they stand for. */
export function fromFloat16Bits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}
