import { type DType, dtypeByCode, type Shape, TesseraError } from '../../base/index.ts';
import type { Port } from '../engine.ts';
import type { Ledger } from '../ledger.ts';
import type { Pointer } from './functions.ts';
import { check, type Native, own, pointerFrom } from './native.ts';

/** The inputs or outputs of a session. */
export function readPorts(native: Native, ledger: Ledger, session: Pointer, side: 'inputs' | 'outputs'): Port[] {
  const { api } = native;
  const inputs = side === 'inputs';
  const getCount = inputs ? api.sessionGetInputCount : api.sessionGetOutputCount;
  const getType = inputs ? api.sessionGetInputTypeInfo : api.sessionGetOutputTypeInfo;
  const getName = inputs ? api.sessionGetInputName : api.sessionGetOutputName;
  const count = Number(pointerFrom(api, (slot) => getCount(session, slot)));
  return Array.from({ length: count }, (_, i) => {
    const name = readName(native, (slot) => getName(session, i, native.allocator, slot));
    const type = pointerFrom(api, (slot) => getType(session, i, slot));
    const owner = own(ledger, type, api.releaseTypeInfo);
    try {
      return { name, ...readTensorType(native, type, name) };
    } finally {
      owner.release();
    }
  });
}

function readName(native: Native, call: (slot: BigUint64Array) => Pointer | null): string {
  const text = pointerFrom(native.api, call);
  const name = native.memory.string(text);
  check(native.api, native.api.allocatorFree(native.allocator, text));
  return name;
}

function readTensorType(native: Native, type: Pointer, name: string): Pick<Port, 'dtype' | 'shape'> {
  // The tensor info belongs to the type info; it is null for sequences and maps.
  const info = pointerFrom(native.api, (slot) => native.api.castTypeInfoToTensorInfo(type, slot));
  if (info === 0n) {
    throw new TesseraError({ code: 'runtime/port', message: 'an input or output is no tensor', path: name });
  }
  const { dtype, dims } = readTensorInfo(native, info, name);
  return { dtype, shape: nameDims(native, info, dims) };
}

/** Element type and sizes; unknown sizes are -1. */
export function readTensorInfo(native: Native, info: Pointer, name: string): { dtype: DType; dims: number[] } {
  const { api } = native;
  const code = new Int32Array(1);
  check(api, api.getTensorElementType(info, code));
  const rank = Number(pointerFrom(api, (slot) => api.getDimensionsCount(info, slot)));
  const dims = new BigInt64Array(Math.max(rank, 1));
  check(api, api.getDimensions(info, dims, rank));
  const dtype = dtypeByCode.get(code[0] as number);
  if (dtype) return { dtype, dims: Array.from(dims.subarray(0, rank), Number) };
  throw new TesseraError({
    code: 'runtime/port',
    message: 'an input or output has an element type that tessera does not know',
    path: name,
    expected: [...dtypeByCode.values()].join(', '),
    got: `element type ${code[0]}`,
  });
}

/** Unknown sizes get their names; one without a name is `?`. */
function nameDims(native: Native, info: Pointer, dims: readonly number[]): Shape {
  if (dims.every((dim) => dim >= 0)) return dims;
  const names = new BigUint64Array(dims.length);
  check(native.api, native.api.getSymbolicDimensions(info, names, dims.length));
  return dims.map((dim, i) => (dim >= 0 ? dim : native.memory.string(names[i] as Pointer) || '?'));
}
