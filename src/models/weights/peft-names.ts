import type { Fault } from '../../base/index.ts';
import { raise } from '../../base/index.ts';

/** Before every key of an adapter file. */
const keyPrefix = 'base_model.model.';

/** What a LoRA layer has: `lora_A.weight [r, in]`, `lora_B.weight [out, r]`, with DoRA `lora_magnitude_vector [out]`. */
export const loraPart = /\.lora_(?:[AB]\.weight|magnitude_vector)$/;

/** The module whose LoRA part a tensor is; undefined for parameters of the base that are saved whole. */
export function adaptedModule(name: string): string | undefined {
  return loraPart.test(name) ? name.replace(loraPart, '') : undefined;
}

/** The parameter of the base model that a tensor of the adapter belongs to. */
export function baseName(name: string): string {
  return name.replace(loraPart, '.weight');
}

/** An adapted layer keeps its own parameters in a module below, which keys of its bias name. */
const within = '.base_layer.bias';

/**
 * Keys of an adapter file to the names of parameters and LoRA parts.
 * @throws TesseraError `peft/key` for every key that is of another kind
 */
export function namesOfKeys(keys: readonly string[], folder: string): ReadonlyMap<string, string> {
  const faults: Fault[] = [];
  const names = new Map<string, string>();
  for (const key of keys) {
    const name = key.slice(keyPrefix.length).replace(within, '.bias');
    const known = loraPart.test(name) || !/lora_|modules_to_save|base_layer/.test(name);
    if (key.startsWith(keyPrefix) && known) names.set(key, name);
    else {
      const expected = `${keyPrefix}<module>.lora_A.weight, .lora_B.weight or ${keyPrefix}<parameter>`;
      const message = 'the adapter holds a tensor that tessera does not know';
      faults.push({ code: 'peft/key', message, path: `${folder}: adapter_model`, expected, got: key });
    }
  }
  raise(faults);
  return names;
}

/** Names of parameters and LoRA parts under the keys of an adapter file. */
export function keysOfNames<T>(tensors: ReadonlyMap<string, T>): Map<string, T> {
  const adapted = new Set([...tensors.keys()].flatMap((name) => adaptedModule(name) ?? []));
  const keyOf = (name: string) => (adapted.has(name.replace(/\.bias$/, '')) ? name.replace(/\.bias$/, within) : name);
  return new Map([...tensors].map(([name, tensor]) => [keyPrefix + keyOf(name), tensor]));
}
