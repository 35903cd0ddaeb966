import type { Tensor } from '../../base/index.ts';
import type { Ledger } from '../ledger.ts';
import type { Pointer } from './functions.ts';
import { type Handle, type Native, own } from './native.ts';
import { copyValue, wrapTensor } from './values.ts';

/** The arguments of one `Run`: names and values of inputs and outputs as native pointer tables. */
export interface Call {
  readonly inputNames: BigUint64Array;
  readonly inputs: BigUint64Array;
  readonly outputNames: BigUint64Array;
  /** Null pointers are filled by ONNX Runtime with values of its own, which `collect` frees. */
  readonly outputs: BigUint64Array;
  /** Takes the outputs of a run that succeeded, by name. */
  collect(): Map<string, Tensor>;
  /** Frees the values that stand for feeds and targets; the call cannot run again. */
  release(): void;
}

/** Prepares a run; `names` holds the address of each port's name. */
export function prepareCall(
  native: Native,
  ledger: Ledger,
  names: ReadonlyMap<string, Pointer>,
  feeds: ReadonlyMap<string, Tensor>,
  wanted: readonly string[],
  into: ReadonlyMap<string, Tensor>,
): Call {
  const held: Handle[] = [];
  const hold = (tensor: Tensor | undefined): Pointer => {
    if (!tensor) return 0n;
    const handle = wrapTensor(native, ledger, tensor);
    held.push(handle);
    return handle.pointer;
  };
  const nameTable = (wantedNames: readonly string[]) =>
    BigUint64Array.from(wantedNames, (name) => names.get(name) as Pointer);
  const release = () => {
    for (const handle of held.splice(0)) handle.release();
  };
  try {
    const inputs = BigUint64Array.from(feeds.values(), hold);
    const outputs = BigUint64Array.from(wanted, (name) => hold(into.get(name)));
    return {
      inputNames: nameTable([...feeds.keys()]),
      inputs,
      outputNames: nameTable(wanted),
      outputs,
      collect: () => collectOutputs(native, ledger, wanted, outputs, into),
      release,
    };
  } catch (error) {
    release();
    throw error;
  }
}

function collectOutputs(
  native: Native,
  ledger: Ledger,
  wanted: readonly string[],
  outputs: BigUint64Array,
  into: ReadonlyMap<string, Tensor>,
): Map<string, Tensor> {
  const owned = wanted.map((name, i) =>
    into.has(name) ? undefined : own(ledger, outputs[i] as Pointer, native.api.releaseValue),
  );
  try {
    return new Map(
      wanted.map((name, i) => [name, into.get(name) ?? copyValue(native, ledger, outputs[i] as Pointer, name)]),
    );
  } finally {
    for (const handle of owned) handle?.release();
  }
}
