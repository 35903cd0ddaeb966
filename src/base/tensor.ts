import type { DType, HostArray, HostArrays } from './dtype.ts';
import { dtypeInfo, toBfloat16Bits, toFloat16Bits } from './dtype.ts';
import { TesseraError } from './errors.ts';
import { elementCount, formatShape } from './shape.ts';

/** A dense row-major tensor in host memory. */
export interface Tensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: HostArrays[D];
}

/**
 * Wraps an array as a tensor.
 * @throws TesseraError `tensor/length` when the array does not fill the shape.
 * @example tensor('int32', [2, 2], Int32Array.of(1, 2, 3, 4))
 */
export function tensor<D extends DType>(dtype: D, shape: readonly number[], data: HostArrays[D]): Tensor<D> {
  if (data.length !== elementCount(shape)) {
    throw new TesseraError({
      code: 'tensor/length',
      message: 'the data does not fill the shape',
      expected: `${elementCount(shape)} elements for ${formatShape(shape)}`,
      got: `${data.length}`,
    });
  }
  return { dtype, shape, data };
}

/** A tensor of zeros. */
export function zeros<D extends DType>(dtype: D, shape: readonly number[]): Tensor<D> {
  return { dtype, shape, data: new dtypeInfo[dtype].array(elementCount(shape)) };
}

/** A tensor of one repeated number, in the storage of its dtype. */
export function full<D extends DType>(dtype: D, shape: readonly number[], value: number): Tensor<D> {
  const t = zeros(dtype, shape);
  if (dtype === 'int64') (t.data as BigInt64Array).fill(BigInt(value));
  else if (dtype === 'float16') (t.data as Uint16Array).fill(toFloat16Bits(value));
  else if (dtype === 'bfloat16') (t.data as Uint16Array).fill(toBfloat16Bits(value));
  else (t.data as Float32Array).fill(value);
  return t;
}

export function float32(shape: readonly number[], values: ArrayLike<number>): Tensor<'float32'> {
  return tensor('float32', shape, Float32Array.from(values));
}

export function int32(shape: readonly number[], values: ArrayLike<number>): Tensor<'int32'> {
  return tensor('int32', shape, Int32Array.from(values));
}

export function int64(shape: readonly number[], values: ArrayLike<number>): Tensor<'int64'> {
  return tensor('int64', shape, BigInt64Array.from(Array.from(values, (v) => BigInt(v))));
}

/** The one element of a tensor that has one. */
export function scalarOf(t: Tensor): number {
  if (t.data.length !== 1) {
    throw new TesseraError({
      code: 'tensor/scalar',
      message: 'the tensor is no scalar',
      expected: '1 element',
      got: `${t.data.length} elements, shape ${formatShape(t.shape)}`,
    });
  }
  return Number(t.data[0]);
}

/** The raw bytes of an array, sharing its memory. */
export function bytesOf(data: HostArray): Uint8Array<ArrayBuffer> {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
