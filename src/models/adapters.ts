import type { Tensor } from '../base/index.ts';
import { type Lora, mergeLora, storeOf } from '../nn/index.ts';
import { parameterSpecs } from './catalog.ts';
import { type LoadedModel, modelLayouts } from './load.ts';
import { type Adapter, type Layout, readAdapter } from './weights/index.ts';
import { toFileName } from './weights/layouts.ts';
import { targetMatcher } from './weights/peft-config.ts';

/** A PEFT adapter in the terms of the model it is for. */
export interface LoadedAdapter {
  readonly adapter: Adapter;
  /** Adapts exactly the layers of which the adapter has factors. */
  readonly lora: Lora;
  /** The names under which its tensors were read. */
  readonly layout: Layout;
}

/**
 * Reads a PEFT LoRA folder for a model.
 * @throws TesseraError as `readAdapter`.
 */
export function loadAdapter(folder: string, base: LoadedModel): LoadedAdapter {
  const { layout, ...adapter } = readAdapter(folder, base.store.specs, modelLayouts(base.model));
  const { r, alpha } = adapter.config;
  const targets = (path: string) => adapter.tensors.has(`${path}.lora_A.weight`);
  return { adapter, lora: { r, alpha, targets }, layout };
}

/**
 * The model with an adapter beside its weights: its store holds the factors too, and the modules that the adapter
 * replaces whole. The other tensors are those of the base.
 */
export function attachAdapter(base: LoadedModel, { adapter, lora }: LoadedAdapter): LoadedModel {
  const tensors = new Map([...base.store.tensors, ...adapterTensors(adapter)]);
  return { ...base, store: storeOf(parameterSpecs(base.model, lora), tensors) };
}

/** A plain model that computes what base and adapter compute together. It shares what is not adapted with the base. */
export function mergeAdapter(base: LoadedModel, loaded: LoadedAdapter): LoadedModel {
  const tensors = mergeLora(attachAdapter(base, loaded).store.tensors, loaded.lora);
  return { ...base, store: storeOf(base.store.specs, tensors) };
}

function adapterTensors(adapter: Adapter): Map<string, Tensor<'float32'>> {
  return new Map([...adapter.tensors].map(([path, t]) => [path, { dtype: 'float32', ...t }]));
}

/** The head: `all-linear` leaves it out, as PEFT does. */
const head = /(^|\.)lm_head$/;

/**
 * Which linear layers PEFT's `target_modules` means, in tessera's paths: a list of last names or whole names, a pattern
 * for whole names, or `all-linear`.
 * @param layout the names in which the targets are written; adapters of LLaVA use `llava-runtime`
 */
export function peftTargets(targets: readonly string[] | string, layout: Layout): Lora['targets'] {
  const fits = targetMatcher(targets);
  const weight = '.weight';
  return (path) => {
    const stored = toFileName(layout, path + weight)?.slice(0, -weight.length);
    return stored !== undefined && fits(stored) && !(targets === 'all-linear' && head.test(path));
  };
}
