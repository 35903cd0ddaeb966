import { bytesOf, dtypeInfo, type Tensor, zeros } from '../../base/index.ts';
import type { Ledger } from '../ledger.ts';
import { readTensorInfo } from './describe.ts';
import type { Pointer } from './functions.ts';
import { type Handle, type Native, own, pointerFrom } from './native.ts';

/** Stands for the memory of empty tensors, whose arrays may have no address. */
const nowhere = new Uint8Array(64);

/** An `OrtValue` on a tensor's own memory. The tensor must be kept for the value's life. */
export function wrapTensor(native: Native, ledger: Ledger, tensor: Tensor): Handle {
  const { api, memory, cpu } = native;
  const { data, shape, dtype } = tensor;
  const address = memory.address(data.byteLength > 0 ? data : nowhere);
  const dims = BigInt64Array.from(shape.length > 0 ? shape.map(BigInt) : [1n]);
  const pointer = pointerFrom(api, (slot) =>
    api.createTensorWithDataAsOrtValue(cpu, address, data.byteLength, dims, shape.length, dtypeInfo[dtype].onnx, slot),
  );
  return own(ledger, pointer, api.releaseValue);
}

/** Copies an `OrtValue` that ONNX Runtime allocated into a new tensor. */
export function copyValue(native: Native, ledger: Ledger, value: Pointer, name: string): Tensor {
  const { api, memory } = native;
  const info = pointerFrom(api, (slot) => api.getTensorTypeAndShape(value, slot));
  const owner = own(ledger, info, api.releaseTensorTypeAndShapeInfo);
  try {
    const { dtype, dims } = readTensorInfo(native, info, name);
    const tensor = zeros(dtype, dims);
    const at = pointerFrom(api, (slot) => api.getTensorMutableData(value, slot));
    memory.read(at, bytesOf(tensor.data));
    ledger.copied(tensor.data.byteLength);
    return tensor;
  } finally {
    owner.release();
  }
}
