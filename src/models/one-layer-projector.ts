import { float32, type Tensor, zeros } from '../base/index.ts';
import { storeOf } from '../nn/index.ts';
import { modelFromConfig, parameterSpecs } from './catalog.ts';
import type { ConfigJson } from './config.ts';
import type { LoadedModel } from './loaded.ts';
import type { WeightMap } from './weights/index.ts';

/*
 * LLaVA v1 has one projector layer. transformers' LlavaForConditionalGeneration always has two, so files hold the one
 * layer as two: the second is the identity, and the activation between them is `linear`, which is the identity too.
 */

const second = 'multi_modal_projector.linear_2';

/** A file's configuration: where nothing happens between two layers, the weights alone say whether there is a second. */
export function projectorOfFile(json: ConfigJson): ConfigJson {
  if (json.model_type !== 'llava' || json.projector_hidden_act !== 'linear') return json;
  const { projector_type: _, ...rest } = json;
  return rest;
}

/** The model as files hold it: one projector layer becomes two that compute the same. Others stay as they are. */
export function withSecondLayer(loaded: LoadedModel): LoadedModel {
  const { json } = loaded.model;
  if (json.model_type !== 'llava' || json.projector_type !== 'linear') return loaded;
  const model = modelFromConfig(projectorOfFile({ ...json, projector_hidden_act: 'linear' }));
  const specs = parameterSpecs(model);
  const tensors = new Map(loaded.store.tensors);
  for (const [path, { shape }] of specs) {
    if (!path.startsWith(second)) continue;
    const [width] = shape as [number];
    tensors.set(path, path.endsWith('.weight') ? identity(width) : zeros('float32', shape));
  }
  return { ...loaded, model, store: storeOf(specs, tensors) };
}

/** The reverse: two projector layers without activation, of which the second is the identity, become one. */
export function withoutSecondLayer(loaded: LoadedModel): LoadedModel {
  const { json } = loaded.model;
  if (json.model_type !== 'llava' || json.projector_hidden_act !== 'linear') return loaded;
  if (!isIdentity(loaded.store.tensors)) return loaded;
  const model = modelFromConfig({ ...json, projector_type: 'linear' });
  return { ...loaded, model, store: storeOf(parameterSpecs(model), loaded.store.tensors) };
}

/** An adapter's tensors without a second layer that computes nothing and that the model does not have. */
export function withoutIdentity(tensors: WeightMap, specs: ReadonlyMap<string, unknown>): WeightMap {
  if (specs.has(`${second}.weight`) || !isIdentity(tensors)) return tensors;
  const adapted = [...tensors.keys()].some((path) => path.startsWith(second) && path.includes('.lora_'));
  return adapted ? tensors : new Map([...tensors].filter(([path]) => !path.startsWith(second)));
}

/** The reverse: an adapter of a model with one layer saves the projector whole, so its file holds the second too. */
export function withIdentity(tensors: WeightMap, modulesToSave: readonly string[], base: LoadedModel): WeightMap {
  if (!modulesToSave.some((module) => /(^|\.)multi_modal_projector$/.test(module))) return tensors;
  const { tensors: all } = withSecondLayer(base).store;
  const added = [...all].filter(([path]) => path.startsWith(second) && !base.store.specs.has(path));
  return new Map([...added, ...tensors]);
}

/** Whether the second layer is there and computes exactly what it is given. */
function isIdentity(tensors: ReadonlyMap<string, Pick<Tensor<'float32'>, 'shape' | 'data'>>): boolean {
  const [weight, bias] = [tensors.get(`${second}.weight`), tensors.get(`${second}.bias`)];
  const [rows, columns] = weight?.shape ?? [];
  if (!weight || !columns || rows !== columns || bias?.data.some((x) => x !== 0)) return false;
  return weight.data.every((x, i) => x === (i % (columns + 1) === 0 ? 1 : 0));
}

function identity(width: number): Tensor<'float32'> {
  const data = new Float32Array(width * width);
  for (let i = 0; i < width; i++) data[i * (width + 1)] = 1;
  return float32([width, width], data);
}
