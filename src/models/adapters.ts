import type { Tensor } from '../base/index.ts';
import { isLoraPart, type Lora, mergeLora, storeOf } from '../nn/index.ts';
import { parameterSpecs } from './catalog.ts';
import type { ModelPlace } from './folder.ts';
import { loadModel } from './load.ts';
import type { LoadedModel } from './loaded.ts';
import { withoutIdentity, withSecondLayer } from './one-layer-projector.ts';
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
 * Reads a PEFT LoRA folder for a model. Where the model has one projector layer and the adapter holds a second that
 * computes nothing, that one is left out.
 * @throws TesseraError as `readAdapter`.
 */
export function loadAdapter(folder: string, base: LoadedModel): LoadedAdapter {
  const { layout, ...read } = readAdapter(
    folder,
    withSecondLayer(base).store.specs,
    base.model.layouts.filter(({ interleaved }) => !interleaved),
  );
  const adapter = { ...read, tensors: withoutIdentity(read.tensors, base.store.specs) };
  return { adapter, lora: loraOfAdapter(adapter), layout };
}

function loraOfAdapter({ config, tensors, ranks }: Adapter): Lora {
  const { r, alpha, rslora, dora } = config;
  return {
    r,
    alpha,
    targets: (path) => tensors.has(`${path}.lora_A.weight`),
    ...(ranks.size > 0 && { rankOf: (path: string) => ranks.get(path) }),
    ...(rslora && { stabilised: true }),
    ...(dora && { directional: true }),
  };
}

/**
 * The model with an adapter beside its weights: its store holds the factors too, and the modules that the adapter
 * replaces whole. The other tensors are those of the base.
 */
export function attachAdapter(base: LoadedModel, { adapter, lora }: LoadedAdapter): LoadedModel {
  const { model, store, ...rest } = withAdaptedLayers(base, adapter);
  const tensors = new Map([...store.tensors, ...adapterTensors(adapter)]);
  return { ...rest, model, store: storeOf(parameterSpecs(model, lora), tensors) };
}

/** A plain model that computes what base and adapter compute together. It shares what is not adapted with the base. */
export function mergeAdapter(base: LoadedModel, loaded: LoadedAdapter): LoadedModel {
  const { model, store, ...rest } = attachAdapter(base, loaded);
  return { ...rest, model, store: storeOf(parameterSpecs(model), mergeLora(store.tensors, loaded.lora)) };
}

/** The model of a place, its adapter added into the weights. */
export function openModel({ folder, adapter }: ModelPlace): LoadedModel {
  const base = loadModel(folder);
  return adapter === undefined ? base : mergeAdapter(base, loadAdapter(adapter, base));
}

/** The base with the second projector layer that its files hold, where the adapter changes that one. */
function withAdaptedLayers(base: LoadedModel, { tensors }: Adapter): LoadedModel {
  const { specs } = base.store;
  const lacks = [...tensors.keys()].some((path) => !isLoraPart(path) && !specs.has(path));
  const adapts = [...tensors.keys()].some(
    (path) => isLoraPart(path) && !specs.has(path.replace(/\.lora_.*$/, '.weight')),
  );
  return lacks || adapts ? withSecondLayer(base) : base;
}

function adapterTensors(adapter: Adapter): Map<string, Tensor<'float32'>> {
  return new Map([...adapter.tensors].map(([path, t]) => [path, { dtype: 'float32', ...t }]));
}

/** The head: `all-linear` leaves it out, as PEFT does. */
const head = /(^|\.)(lm_head|embed_out)$/;

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
