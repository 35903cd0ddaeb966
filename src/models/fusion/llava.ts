import { reshape, slice, type Value } from '../../graph/index.ts';
import { linear, type Scope, splice } from '../../nn/index.ts';
import { activations } from '../activations.ts';
import { type ConfigJson, ConfigReader } from '../config.ts';
import { type DecodeAsk, type Decoder, decoderFromConfig } from '../decoders/index.ts';
import { featuresShown } from '../inputs.ts';
import { type ClipVisionConfig, clipVision, clipVisionConfig } from '../vision/clip.ts';

/** LLaVA (Liu et al. 2023) and LLaVA-1.5 (Liu et al. 2024): patch rows, a projector, a decoder. */
export interface LlavaConfig {
  readonly vision: ClipVisionConfig;
  readonly text: Decoder;
  /** `linear` in v1, `mlp` (two layers) in 1.5. */
  readonly projector: 'linear' | 'mlp';
  readonly projectorBias: boolean;
  readonly projectorActivation: (x: Value) => Value;
  readonly imageTokenId: number;
  /** Which hidden state of the tower; -2 is the output of the last block but one. */
  readonly featureLayer: number;
  /** True keeps the class row. */
  readonly keepClass: boolean;
}

/** Reads a `config.json` of model type llava. */
export function llavaConfig(json: ConfigJson, where?: string): LlavaConfig {
  const c = new ConfigReader(json, where);
  c.require('model_type', ['llava']);
  const parts = c.part('text_config');
  const vision = clipVisionConfig(c.part('vision_config').json, `${c.where}: vision_config`);
  // The head is the system's: its configuration says whether it is tied, and the language model's where it is silent.
  const tied = json.tie_word_embeddings ?? parts.json.tie_word_embeddings ?? false;
  // Its head is a plain one in transformers too, which does not cap the logits of a language model that does so alone.
  const own = { tie_word_embeddings: tied, final_logit_softcapping: null };
  const text = decoderFromConfig({ ...parts.json, ...own }, parts.where);
  return {
    vision,
    text,
    projector: c.choice('projector_type', { linear: 'linear', mlp: 'mlp' } as const, 'mlp'),
    projectorBias: c.flag('multimodal_projector_bias', true),
    projectorActivation: c.choice('projector_hidden_act', activations, 'gelu'),
    imageTokenId: c.integer(
      json.image_token_index == null ? 'image_token_id' : 'image_token_index',
      0,
      text.vocabSize - 1,
    ),
    featureLayer: c.integer('vision_feature_layer', -vision.layers - 1, vision.layers, -2),
    keepClass: c.choice('vision_feature_select_strategy', { default: false, full: true }, 'default'),
  };
}

/** Rows that an image of `height` by `width` pixels takes in the sequence. */
export function llavaImageRows(c: LlavaConfig, height: number, width: number): number {
  const patches = Math.floor(height / c.vision.patchSize) * Math.floor(width / c.vision.patchSize);
  return patches + (c.keepClass ? 1 : 0);
}

/** Image rows `[U, P, D]` for the decoder, from pixels `[U, 3, H, W]`. */
export function llavaImageFeatures(p: Scope, c: LlavaConfig, pixels: Value): Value {
  const { hiddenStates } = clipVision(p.at('vision_tower'), c.vision, pixels);
  const state = hiddenStates.at(c.featureLayer) as Value;
  const rows = p.at('vision_tower').build(() => (c.keepClass ? state : slice(state, 1, 1)));
  const place = p.at('multi_modal_projector');
  return c.projector === 'linear'
    ? linear(place.at('linear_1'), rows, c.text.width, { bias: c.projectorBias })
    : mlp(place, c, rows);
}

function mlp(p: Scope, c: LlavaConfig, rows: Value): Value {
  const inner = linear(p.at('linear_1'), rows, c.text.width, { bias: c.projectorBias });
  const active = p.build(() => c.projectorActivation(inner));
  return linear(p.at('linear_2'), active, c.text.width, { bias: c.projectorBias });
}

export interface LlavaInputs {
  /** int32 `[B, T]`; image slots hold the image token. */
  readonly ids: Value;
  /** `[U, 3, H, W]`. */
  readonly pixels?: Value | undefined;
  /** int32 `[N]`: which of these each image is that is shown; absent where `N = U`, one for one. */
  readonly shown?: Value | undefined;
  /** int32 `[N*P]`: flat rows of the slots. */
  readonly imageRows?: Value | undefined;
}

/** Final hidden states `[B, T, D]`, or `[K, D]` of the rows asked for. */
export function llavaHidden(p: Scope, c: LlavaConfig, x: LlavaInputs, ask?: DecodeAsk): ReturnType<Decoder['decode']> {
  const language = p.at('language_model');
  const text = c.text.embed(language, x.ids);
  const { pixels, shown, imageRows } = x;
  const features = pixels && imageRows && llavaImageFeatures(p, c, pixels);
  const joined = features
    ? p.build(() => splice(text, imageRows, reshape(featuresShown(features, shown), [-1, c.text.width])))
    : text;
  return c.text.decode(language, joined, ask);
}
