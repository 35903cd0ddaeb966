import type { Dim, Named } from '../../base/index.ts';
import { expand, reshape, type Value } from '../../graph/index.ts';
import { layerNormAt, linear, normal, type Scope, splice } from '../../nn/index.ts';
import { type ConfigJson, ConfigReader } from '../config.ts';
import {
  type DecodeAsk,
  type Decoder,
  decoderFromConfig,
  decoders,
  encoderDecoders,
  type SourceReader,
} from '../decoders/index.ts';
import { featuresShown, neededInput } from '../inputs.ts';
import { clipVision, clipVisionConfig } from '../vision/clip.ts';
import { evaConfig, evaVision } from '../vision/eva.ts';
import { type QformerConfig, type QformerStates, qformer, qformerConfig } from './qformer.ts';

/** BLIP-2 (Li et al. 2023): a frozen tower, a Q-Former, and a frozen language model behind one linear layer. */
export interface Blip2Config {
  readonly tower: Tower;
  readonly qformer: QformerConfig;
  readonly queries: number;
  /** Absent in the form of the first stage alone. */
  readonly text: Decoder | undefined;
  /** Places of `ids` that stand for the image of a row, in front of its text. */
  readonly fronted: number;
  /** Stands for the queries of an image in front of a text. */
  readonly imageTokenId: number | undefined;
  /** Width of the space in which images and texts are compared; absent in the form that only writes. */
  readonly compared: number | undefined;
}

/** An image encoder, and what the queries look at: its states `[N, 1 + P, D]` after a norm, class row first. */
interface Tower {
  readonly imageSize: number;
  /** What of it transformers has no class for. */
  readonly unshared?: string;
  features(p: Scope, pixels: Value): Value;
}

/** Places of its parts in the parameter tree. */
export const blip2Parts = {
  language: 'language_model',
  vision: 'vision_model',
  qformer: 'qformer',
  projection: 'language_projection',
} as const;

/** The classes of transformers whose parameters a folder may hold; `architectures` names one of them, or both. */
export const blip2Forms = { writes: 'Blip2ForConditionalGeneration', compares: 'Blip2ForImageTextRetrieval' } as const;

/** Reads a `config.json` of model type blip-2. */
export function blip2Config(json: ConfigJson, where?: string): Blip2Config {
  const c = new ConfigReader(json, where);
  c.require('model_type', ['blip-2']);
  const held = formsOf(c);
  const vision = c.part('vision_config');
  const parts = held.includes(blip2Forms.writes) ? c.part('text_config') : undefined;
  const text = parts && decoderFromConfig(parts.json, parts.where, { ...decoders, ...encoderDecoders });
  const compared = held.includes(blip2Forms.compares) ? c.size('image_text_hidden_size', 256) : undefined;
  const former = qformerConfig(c.part('qformer_config'));
  const queries = c.size('num_query_tokens', 32, 2 ** 12);
  return {
    tower: towerOf(vision),
    // Only what compares reads text in the Q-Former.
    qformer: compared === undefined ? former : { ...former, text: true },
    queries,
    text,
    fronted: text && !text.source ? queries : 0,
    imageTokenId:
      json.image_token_index == null || !text ? undefined : c.integer('image_token_index', 0, text.vocabSize - 1),
    compared,
  };
}

function formsOf(c: ConfigReader): readonly string[] {
  const names = c.json.architectures ?? [blip2Forms.writes];
  const known: readonly unknown[] = Object.values(blip2Forms);
  if (Array.isArray(names) && names.length > 0 && names.every((name) => known.includes(name))) return names;
  throw c.fault('architectures', `a list of ${known.join(', ')}`);
}

/** EVA's, with its norm; or CLIP's up to the last block but one, behind a norm of its own (section 3.4 of the paper). */
function towerOf({ json, where }: ConfigReader): Tower {
  if (json.model_type !== 'clip_vision_model') {
    const c = evaConfig(json, where);
    return { imageSize: c.imageSize, features: (p, pixels) => evaVision(p.at(blip2Parts.vision), c, pixels) };
  }
  const c = clipVisionConfig(json, where);
  return {
    imageSize: c.imageSize,
    unshared: 'a tower of CLIP in a BLIP-2',
    features(p, pixels) {
      const { hiddenStates } = clipVision(p.at(blip2Parts.vision), c, pixels);
      return layerNormAt(p.at('ln_vision'), hiddenStates.at(-2) as Value, LN_VISION_EPSILON);
    },
  };
}

/** PyTorch's default, which the published code keeps. */
const LN_VISION_EPSILON = 1e-5;

/** The queries `[N, Q, D]` of `n` images before they have seen any. */
export function queryTokens(p: Scope, c: Blip2Config, n: Dim): Value {
  return p.build(() => {
    const tokens = p.param('query_tokens', [1, c.queries, c.qformer.width], normal(c.qformer.initStd));
    return expand(tokens, [n, c.queries, c.qformer.width]);
  });
}

/** Images `[N, 3, H, W]` as the queries see them alone, and what they looked at. */
export function lookedAt(
  p: Scope,
  c: Blip2Config,
  pixels: Value,
): { readonly features: Value; readonly seen: QformerStates } {
  const features = c.tower.features(p, pixels);
  const queries = queryTokens(p, c, pixels.shape[0] as Dim);
  return { features, seen: qformer(p.at(blip2Parts.qformer), c.qformer, { queries }, { features }) };
}

/**
 * Final hidden states `[B, T, D]`, or `[K, D]` of the rows asked for, and the state after these tokens. What the queries
 * saw stands in front of the text: of `ids`, or of `sourceIds` where the language model answers a source.
 */
export function blip2Hidden(
  p: Scope,
  c: Blip2Config,
  x: Named<Value>,
  ask?: DecodeAsk,
): { readonly hidden: Value; readonly state: Named<Value> } {
  const text = c.text as Decoder;
  const language = p.at(blip2Parts.language);
  const embedded = (name: string) => {
    const words = text.embed(language, neededInput(x, name));
    const { pixels, imagesShown, imageRows } = x;
    if (!pixels || !imageRows) return words;
    const rows = languageRows(p, c, text.width, pixels, imagesShown);
    return p.build(() => splice(words, imageRows, rows));
  };
  if (!text.source) return text.decode(language, embedded('ids'), ask);
  const fresh = x.sourceIds && readSource(language, text.source, embedded('sourceIds'), x);
  const answer = text.embed(language, neededInput(x, 'ids'));
  const { hidden, state } = text.decode(language, answer, { ...ask, source: fresh ?? ask?.state?.values });
  return { hidden, state: { ...state, ...(ask?.state && fresh) } };
}

function readSource(p: Scope, source: SourceReader, embeds: Value, x: Named<Value>): Named<Value> {
  return source.read(p, embeds, neededInput(x, 'sourceLengths'));
}

/** Rows `[N*Q, D]` for the language model. */
function languageRows(p: Scope, c: Blip2Config, width: number, pixels: Value, shown: Value | undefined): Value {
  const { seen } = lookedAt(p, c, pixels);
  const place = p.at(blip2Parts.projection);
  const rows = linear(place, seen.queries as Value, width, { init: normal(c.qformer.initStd) });
  return place.build(() => reshape(featuresShown(rows, shown), [-1, width]));
}
