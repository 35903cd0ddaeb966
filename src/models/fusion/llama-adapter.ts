import type { Dim, Named, Shape } from '../../base/index.ts';
import {
  add,
  cast,
  concat,
  fill,
  less,
  mul,
  reshape,
  scatterRows,
  slice,
  tanh,
  type Value,
  where,
} from '../../graph/index.ts';
import { linear, normal, type Scope, zerosInit } from '../../nn/index.ts';
import { activations } from '../activations.ts';
import { type ConfigJson, ConfigReader } from '../config.ts';
import { type Around, type DecodeAsk, type Decoder, decoderFromConfig, type KeyValue } from '../decoders/index.ts';
import { featuresShown, neededInput } from '../inputs.ts';
import { type ClipVisionConfig, clipPooled, clipVision, clipVisionConfig } from '../vision/clip.ts';

/** LLaMA-Adapter (Zhang et al. 2023): learned prompts beside the attention of the upper layers, behind a gate that starts shut. */
export interface LlamaAdapterConfig {
  readonly text: Decoder;
  /** Prompts of a layer, K. */
  readonly prompts: number;
  /** Adapted layers, the upper ones, L. */
  readonly layers: number;
  /** Absent in the form that reads text alone. */
  readonly image: ImageConfig | undefined;
}

/** How an image becomes the vector that is added to every prompt. */
interface ImageConfig {
  readonly vision: ClipVisionConfig;
  /** Hidden states of the tower whose class rows are read, 1 being the output of its first block. */
  readonly levels: readonly number[];
  readonly width: number;
  readonly activation: (x: Value) => Value;
}

/** Places of its parts in the parameter tree. */
export const adapterParts = { language: 'language_model', vision: 'vision_tower', adapter: 'adapter' } as const;

/** Reads a `config.json` of model type llama_adapter; `adapter_len` and `adapter_layer` are named as in the official code. */
export function llamaAdapterConfig(json: ConfigJson, where?: string): LlamaAdapterConfig {
  const c = new ConfigReader(json, where);
  c.require('model_type', ['llama_adapter']);
  const parts = c.part('text_config');
  const text = decoderFromConfig(parts.json, parts.where);
  return {
    text,
    prompts: c.size('adapter_len', 10, 4096),
    layers: c.integer('adapter_layer', 1, text.layers, Math.min(30, text.layers)),
    image: json.vision_config == null ? undefined : imageConfig(c),
  };
}

function imageConfig(c: ConfigReader): ImageConfig {
  const part = c.part('vision_config');
  const vision = clipVisionConfig(part.json, part.where);
  return {
    vision,
    levels: c.json.vision_feature_layers == null ? quarters(vision.layers) : levelsOf(c, vision.layers),
    width: c.size('projection_hidden_size', 128),
    activation: c.choice('projection_hidden_act', activations, 'gelu'),
  };
}

/** The paper reads several scales of the encoder and does not say which: a quarter of its depth apart here. */
function quarters(depth: number): number[] {
  return [...new Set([1, 2, 3, 4].map((n) => Math.max(1, Math.round((n * depth) / 4))))];
}

function levelsOf(c: ConfigReader, depth: number): number[] {
  const value = c.json.vision_feature_layers;
  const fits = (x: unknown): x is number => Number.isInteger(x) && (x as number) >= 1 && (x as number) <= depth;
  if (Array.isArray(value) && value.length > 0 && value.every(fits)) return value;
  throw c.fault('vision_feature_layers', `a list of whole numbers from 1 to ${depth}`);
}

const keyName = (layer: number) => `prompt.key.${layer}`;
const valueName = (layer: number) => `prompt.value.${layer}`;

function adaptedLayers({ text, layers }: LlamaAdapterConfig): number[] {
  return Array.from({ length: layers }, (_, j) => text.layers - layers + j);
}

/** What is kept of a text's prompts: they do not change while it is answered. */
export function promptState(c: LlamaAdapterConfig): Named<Shape> {
  const { key, size } = c.text.heads;
  const shape = ['B', c.prompts, key * size];
  return Object.fromEntries(
    adaptedLayers(c).flatMap((layer) => [
      [keyName(layer), shape],
      [valueName(layer), shape],
    ]),
  );
}

/**
 * Final hidden states `[B, T, D]`, or `[K, D]` of the rows asked for, and the state after these tokens.
 * @param x `ids [B, T]`; `images [B]`, 0 or 1 for each text, absent for tokens behind a prompt; `pixels [U, 3, H, W]`,
 * `imagesShown [N]`, which of them each image is, absent where `N = U`, and `imageTexts [N]`, the text of each image
 */
export function llamaAdapterHidden(
  p: Scope,
  c: LlamaAdapterConfig,
  x: Named<Value>,
  ask?: DecodeAsk,
): ReturnType<Decoder['decode']> {
  const adapter = p.at(adapterParts.adapter);
  const kept: Record<string, Value> = {};
  const images = ask?.state ? x.images : neededInput(x, 'images');
  const added = images && addedToPrompts(p, c, x, images);
  const around = besideAttention(adapter, c, (layer, project) => {
    if (!added) {
      const past = ask?.state?.values ?? {};
      return { key: past[keyName(layer)] as Value, value: past[valueName(layer)] as Value };
    }
    const seen = project(adapter.build(() => add(promptsOf(adapter, c, layer), added)));
    if (ask?.state) Object.assign(kept, { [keyName(layer)]: seen.key, [valueName(layer)]: seen.value });
    return seen;
  });
  const language = p.at(adapterParts.language);
  const { hidden, state } = c.text.decode(language, c.text.embed(language, neededInput(x, 'ids')), { ...ask, around });
  return { hidden, state: { ...state, ...kept } };
}

/**
 * Zero-init attention: prompts have a softmax of their own, whose values every head lets in by `tanh(gate)`. Prompts are
 * neither normed nor rotated nor masked. The gate starts at 0, so that the model starts as the language model alone.
 */
function besideAttention(
  p: Scope,
  c: LlamaAdapterConfig,
  promptsAt: (layer: number, project: (states: Value) => KeyValue) => KeyValue,
): Around {
  const adapted = new Set(adaptedLayers(c));
  const { query: heads, size } = c.text.heads;
  return {
    beside(layer, { project, look }) {
      if (!adapted.has(layer)) return undefined;
      const seen = look(promptsAt(layer, project));
      const place = p.at('layers').at(layer);
      return place.build(() => {
        const gate = reshape(tanh(place.param('gate', [1, heads, 1, 1], zerosInit)), [heads, 1]);
        const [b, t, width] = seen.shape as [Dim, Dim, Dim];
        return reshape(mul(reshape(seen, [b, t, heads, size]), gate), [b, t, width]);
      });
    },
  };
}

/** Prompts `[1, K, D]` of a layer, the lowest adapted one first in their table. */
function promptsOf(p: Scope, c: LlamaAdapterConfig, layer: number): Value {
  const { prompts, layers, text } = c;
  const table = p.at('query').param('weight', [prompts * layers, text.width], normal(1));
  const from = (layer - text.layers + layers) * prompts;
  return reshape(slice(table, 0, from, from + prompts), [1, prompts, text.width]);
}

/** What the image of each text adds to all its prompts, `[B, 1, D]`, or zeros `[B, 1, 1]` where there is none at all. */
function addedToPrompts(p: Scope, c: LlamaAdapterConfig, x: Named<Value>, images: Value): Value {
  const { pixels, imagesShown, imageTexts } = x;
  const [b] = images.shape as [Dim];
  const { graph } = p;
  const nothing = fill(graph, [], 'float32', 0);
  const features = pixels && imageTexts && c.image && imageVector(p, c.image, c.text.width, pixels);
  return p.at(adapterParts.adapter).build(() => {
    const shown = less(nothing, reshape(cast(images, 'float32'), [b, 1, 1]));
    if (!features || !imageTexts) return where(shown, nothing, nothing);
    const each = featuresShown(features, imagesShown);
    const rows = scatterRows(fill(graph, [b, c.text.width], 'float32', 0), imageTexts, each);
    return where(shown, reshape(rows, [b, 1, c.text.width]), nothing);
  });
}

/** The global features of images `[N, 3, H, W]` at several depths of the tower, joined and projected: `[N, D]`. */
function imageVector(p: Scope, c: ImageConfig, width: number, pixels: Value): Value {
  const tower = p.at(adapterParts.vision);
  const { hiddenStates } = clipVision(tower, c.vision, pixels);
  const pooled = c.levels.map((level) => clipPooled(tower, c.vision, hiddenStates[level] as Value));
  const projection = p.at(adapterParts.adapter).at('projection');
  const joined = projection.build(() => concat(pooled, 1));
  const inner = linear(projection.at('linear_1'), joined, c.width);
  const active = projection.build(() => c.activation(inner));
  return linear(projection.at('linear_2'), active, width);
}
