import type { Tensor } from '../../base/index.ts';
import type { Ledger } from '../ledger.ts';
import type { Pointer } from './functions.ts';
import { type Handle, type Native, own, pointerTable } from './native.ts';
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

/**
 * Prepares a run. `names` holds the address of each port's name; `targets` the wanted outputs, each with the tensor
 * that receives it or undefined where its size is not known before the run.
 */
export function prepareCall(
  native: Native,
  ledger: Ledger,
  names: ReadonlyMap<string, Pointer>,
  feeds: ReadonlyMap<string, Tensor>,
  targets: ReadonlyMap<string, Tensor | undefined>,
): Call {
  // The tensors stand here beside their values because native code is no reference that the collector sees.
  const held: { readonly value: Handle; readonly tensor: Tensor }[] = [];
  const hold = (tensor: Tensor | undefined): Pointer => {
    if (!tensor) return 0n;
    const value = wrapTensor(native, ledger, tensor);
    held.push({ value, tensor });
    return value.pointer;
  };
  const nameTable = (ports: Iterable<string>) => pointerTable(Array.from(ports, (name) => names.get(name) as Pointer));
  const release = () => {
    for (const { value } of held.splice(0)) value.release();
  };
  try {
    const inputs = pointerTable(Array.from(feeds.values(), hold));
    const outputs = pointerTable(Array.from(targets.values(), hold));
    return {
      inputNames: nameTable(feeds.keys()),
      inputs,
      outputNames: nameTable(targets.keys()),
      outputs,
      collect: () => collectOutputs(native, ledger, targets, outputs),
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
  targets: ReadonlyMap<string, Tensor | undefined>,
  outputs: BigUint64Array,
): Map<string, Tensor> {
  const entries = [...targets].map(([name, target], i) => ({ name, target, value: outputs[i] as Pointer }));
  const made = entries.filter(({ target }) => !target);
  const owned = made.map(({ value }) => own(ledger, value, native.api.releaseValue));
  try {
    return new Map(
      entries.map(({ name, target, value }) => [name, target ?? copyValue(native, ledger, value, name)] as const),
    );
  } finally {
    for (const handle of owned) handle.release();
  }
}
