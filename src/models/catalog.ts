import { type Named, nearest, TesseraError } from '../base/index.ts';
import { Graph, type Value } from '../graph/index.ts';
import { type Lora, type ParameterSpec, ParameterTrace, type Scope } from '../nn/index.ts';
import type { ConfigJson } from './config.ts';
import {
  type CacheInputs,
  type CacheOutputs,
  type CacheShape,
  cacheOf,
  cacheShape,
  stateOf,
} from './decoders/cache.ts';
import { decoderFromConfig, decoders, mountNames } from './decoders/index.ts';
import { llavaConfig, llavaHidden, llavaImageRows } from './fusion/llava.ts';
import { pairInputs, pictureInputs, pixelInput, tokenInput } from './inputs.ts';
import { clipConfig, clipTowers, clipVision, clipVisionConfig } from './vision/clip.ts';
import { type Layout, llavaLayouts } from './weights/index.ts';

export interface CausalInputs {
  /** int32 `[B, T]`. */
  readonly ids: Value;
  /** `[N, 3, H, W]`, absent in a batch without pictures. */
  readonly pixels?: Value;
  /** int32 `[N*P]`: flat rows of the picture slots. */
  readonly imageRows?: Value;
  /** int32 `[K]`: flat rows whose states are wanted; all of them by default. */
  readonly rows?: Value;
}

/** What a model needs to know of its pictures. */
export interface PictureShape {
  readonly tokenId: number;
  readonly height: number;
  readonly width: number;
  /** Rows a picture takes in the sequence. */
  readonly rows: number;
}

/** A model that predicts the next token, with or without pictures. */
export interface CausalModel {
  readonly kind: 'causal';
  readonly architecture: string;
  readonly json: ConfigJson;
  readonly vocabSize: number;
  readonly width: number;
  readonly maxPositions: number;
  readonly cache: CacheShape;
  readonly picture?: PictureShape;
  /** The key names under which files hold its parameters, the usual ones first. */
  readonly layouts: readonly Layout[];
  /** Parameters that files may hold twice, by the name of the copy. */
  readonly tied: Named<string>;
  /** Hidden states after the final norm: `[B, T, D]`, or `[K, D]` of the rows asked for. */
  hidden(p: Scope, x: CausalInputs, cache?: CacheInputs): { hidden: Value; cache: CacheOutputs };
  /** Logits `[.., V]`. */
  head(p: Scope, hidden: Value): Value;
}

export interface ContrastiveInputs {
  readonly pixels: Value;
  /** int32 `[B, T]`. */
  readonly ids: Value;
  /** int32 `[B]`: flat row of each text's end token. */
  readonly endRows: Value;
}

/** A model that embeds pictures and texts into one space. */
export interface ContrastiveModel {
  readonly kind: 'contrastive';
  readonly architecture: string;
  readonly json: ConfigJson;
  readonly vocabSize: number;
  readonly maxPositions: number;
  readonly picture: { readonly height: number; readonly width: number };
  towers(p: Scope, x: ContrastiveInputs): { image: Value; text: Value; logitScale: Value };
}

/** A vision tower on its own; it is loaded into other models. */
export interface VisionModel {
  readonly kind: 'vision';
  readonly architecture: string;
  readonly json: ConfigJson;
  readonly picture: { readonly height: number; readonly width: number };
  hiddenStates(p: Scope, pixels: Value): readonly Value[];
}

export type Model = CausalModel | ContrastiveModel | VisionModel;

/** A language model alone. */
function language(json: ConfigJson, where?: string): CausalModel {
  const decoder = decoderFromConfig(json, where);
  const type = String(json.model_type);
  return {
    kind: 'causal',
    architecture: llamaTypes.has(type) ? 'llama' : type,
    json,
    vocabSize: decoder.vocabSize,
    width: decoder.width,
    maxPositions: decoder.maxPositions,
    cache: cacheShape(decoder),
    layouts: decoder.layouts,
    tied: decoder.tied,
    hidden(p, { ids, rows }, cache) {
      const { hidden, state } = decoder.decode(p, decoder.embed(p, ids), { rows, state: cache && stateOf(cache) });
      return { hidden, cache: cacheOf(state) };
    },
    head: decoder.head,
  };
}

/** Model types that are LLaMA but for their configurations. */
const llamaTypes = new Set(['mistral', 'qwen2']);

function llava(json: ConfigJson): CausalModel {
  const c = llavaConfig(json);
  const { imageSize } = c.vision;
  return {
    kind: 'causal',
    architecture: 'llava',
    json,
    vocabSize: c.text.vocabSize,
    width: c.text.width,
    maxPositions: c.text.maxPositions,
    cache: cacheShape(c.text),
    layouts: llavaLayouts,
    tied: mountNames(c.text.tied, 'language_model'),
    picture: {
      tokenId: c.imageTokenId,
      height: imageSize,
      width: imageSize,
      rows: llavaImageRows(c, imageSize, imageSize),
    },
    hidden: (p, x, cache) => llavaHidden(p, c, x, cache),
    head: (p, hidden) => c.text.head(p.at('language_model'), hidden),
  };
}

function clip(json: ConfigJson): ContrastiveModel {
  const c = clipConfig(json);
  return {
    kind: 'contrastive',
    architecture: 'clip',
    json,
    vocabSize: c.text.vocabSize,
    maxPositions: c.text.maxPositions,
    picture: { height: c.vision.imageSize, width: c.vision.imageSize },
    towers: (p, x) => clipTowers(p, c, x),
  };
}

function clipVisionModel(json: ConfigJson): VisionModel {
  const c = clipVisionConfig(json);
  return {
    kind: 'vision',
    architecture: 'clip_vision_model',
    json,
    picture: { height: c.imageSize, width: c.imageSize },
    hiddenStates: (p, pixels) => clipVision(p, c, pixels).hiddenStates,
  };
}

/** What each `model_type` of a `config.json` stands for. */
const architectures: Readonly<Record<string, (json: ConfigJson, where?: string) => Model>> = {
  ...Object.fromEntries(Object.keys(decoders).map((type) => [type, language])),
  llava,
  clip,
  clip_vision_model: clipVisionModel,
};

/**
 * The model that a `config.json` describes.
 * @throws TesseraError `model/unknown-type` for a model type that tessera does not have.
 */
export function modelFromConfig(json: ConfigJson, where = 'config.json'): Model {
  const type = String(json.model_type);
  const make = Object.hasOwn(architectures, type) ? architectures[type] : undefined;
  if (make) return make(json);
  const near = nearest(type, Object.keys(architectures));
  throw new TesseraError({
    code: 'model/unknown-type',
    message: 'the model type is not one that tessera knows',
    path: `${where}: model_type`,
    expected: Object.keys(architectures).join(', '),
    got: type,
    ...(near && { remedy: `did you mean ${near}?` }),
  });
}

/** Every parameter of a model, adapters included, read off a trace of its forward function. */
export function parameterSpecs(model: Model, lora?: Lora): ReadonlyMap<string, ParameterSpec> {
  const trace = new ParameterTrace(new Graph(), { lora });
  forward(model, trace.root());
  return trace.specs;
}

/** All of a model by name: logits of every token, the unit vectors of pictures and texts, or a tower's last states. */
export function forward(model: Model, p: Scope): ReadonlyMap<string, Value> {
  const { graph } = p;
  if (model.kind === 'vision') {
    const states = model.hiddenStates(p, pixelInput(graph, model.picture));
    return new Map([['last_hidden_state', states.at(-1) as Value]]);
  }
  if (model.kind === 'contrastive') {
    const { image, text } = model.towers(p, pairInputs(graph, model.picture));
    return new Map(Object.entries({ image_embeds: image, text_embeds: text }));
  }
  const pictures = model.picture && pictureInputs(graph, model.picture);
  const { hidden } = model.hidden(p, { ids: tokenInput(graph), ...pictures });
  return new Map([['logits', model.head(p, hidden)]]);
}
