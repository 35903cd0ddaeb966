import { nearest, TesseraError } from '../base/index.ts';
import { Graph } from '../graph/index.ts';
import { type Lora, type ParameterSpec, ParameterTrace } from '../nn/index.ts';
import type { ConfigJson } from './config.ts';
import { declareInputs } from './inputs.ts';
import type { Capability, Model } from './model.ts';
import { systems } from './systems/index.ts';

/**
 * The model that a `config.json` describes.
 * @throws TesseraError `model/unknown-type` for a model type that tessera does not have.
 */
export function modelFromConfig(json: ConfigJson, where = 'config.json'): Model {
  const type = String(json.model_type);
  const make = Object.hasOwn(systems, type) ? systems[type] : undefined;
  if (make) return make(json, where);
  const near = nearest(type, Object.keys(systems));
  throw new TesseraError({
    code: 'model/unknown-type',
    message: 'the model type is not one that tessera knows',
    path: `${where}: model_type`,
    expected: Object.keys(systems).join(', '),
    got: type,
    ...(near && { remedy: `did you mean ${near}?` }),
  });
}

/** Every parameter of a model, adapters included, read off a trace of its forward function. */
export function parameterSpecs(model: Model, lora?: Lora): ReadonlyMap<string, ParameterSpec> {
  const graph = new Graph();
  const trace = new ParameterTrace(graph, { lora });
  model.forward(trace.root(), declareInputs(graph, model.processor().inputs));
  return trace.specs;
}

const does: Readonly<Record<Capability, string>> = {
  writer: 'writes text',
  embedder: 'puts images and texts into one space',
  matcher: 'tells which images and texts belong together',
  painter: 'draws',
  quantizer: 'turns images into codes and back',
};

/**
 * The model, known to be able to do something.
 * @throws TesseraError `model/cannot`, with `path` naming where the model comes from
 */
export function modelThat<C extends Capability>(
  capability: C,
  model: Model,
  path: string,
): Model & { readonly [K in C]-?: NonNullable<Model[K]> } {
  if (model[capability]) return model as Model & { readonly [K in C]-?: NonNullable<Model[K]> };
  throw new TesseraError({
    code: 'model/cannot',
    message: `the model is none that ${does[capability]}`,
    path,
    expected: `a model that ${does[capability]}`,
    got: model.architecture,
  });
}
