import type { Dim, Named } from '../../base/index.ts';
import { slice, type Value } from '../../graph/index.ts';
import type { Scope } from '../../nn/index.ts';
import { type ConfigJson, ConfigReader } from '../config.ts';
import { type DecodeAsk, type Decoder, decoderFromConfig } from '../decoders/index.ts';
import { featuresShown } from '../inputs.ts';
import { type ClipVisionConfig, clipVision, clipVisionConfig } from '../vision/clip.ts';
import { type GatedConfig, gatedOverState, gatedOverText, latentsByRow, type Shown } from './gated-attention.ts';
import { type PerceiverConfig, perceiver, perceiverConfig } from './perceiver.ts';

/** Flamingo (Alayrac et al. 2022) in the form of OpenFlamingo (Awadalla et al. 2023): a tower, a resampler, a decoder between gated layers. */
export interface FlamingoConfig {
  readonly vision: ClipVisionConfig;
  readonly text: Decoder;
  readonly resampler: PerceiverConfig;
  readonly gated: GatedConfig;
  readonly imageTokenId: number;
  /** Ends the text of an image. */
  readonly endOfChunkId?: number | undefined;
}

/** Places of its parts in the parameter tree. */
export const flamingoParts = {
  language: 'language_model',
  vision: 'vision_tower',
  resampler: 'perceiver',
  gated: 'gated_cross_attn_layers',
} as const;

/** Reads a `config.json` of model type flamingo. */
export function flamingoConfig(json: ConfigJson, where?: string): FlamingoConfig {
  const c = new ConfigReader(json, where);
  c.require('model_type', ['flamingo']);
  const parts = c.part('text_config');
  const vision = clipVisionConfig(c.part('vision_config').json, `${c.where}: vision_config`);
  // As in LLaVA's configuration: the system says whether the head is tied, its language model where it is silent.
  const tied = json.tie_word_embeddings ?? parts.json.tie_word_embeddings ?? false;
  const text = decoderFromConfig({ ...parts.json, tie_word_embeddings: tied }, parts.where);
  const every = c.integer('cross_attn_every_n_layers', 1, text.layers, 1);
  const resampler = perceiverConfig(
    json.perceiver_config === undefined ? new ConfigReader({}) : c.part('perceiver_config'),
    vision.width,
  );
  const cross = json.cross_attn_config === undefined ? new ConfigReader({}) : c.part('cross_attn_config');
  return {
    vision,
    text,
    resampler,
    gated: {
      heads: cross.size('heads', 8, 2 ** 10),
      headSize: cross.size('dim_head', 64, 2 ** 12),
      multiple: cross.size('ff_mult', 4, 2 ** 8),
      layers: [...Array(text.layers).keys()].filter((i) => (i + 1) % every === 0),
      latents: resampler.latents,
      gateStart: cross.number('gate_start', 0),
    },
    imageTokenId: c.integer('media_token_id', 0, text.vocabSize - 1),
    endOfChunkId: json.eoc_token_id == null ? undefined : c.integer('eoc_token_id', 0, text.vocabSize - 1),
  };
}

export interface FlamingoInputs {
  /** int32 `[B, T]`. */
  readonly ids: Value;
  /** `[U, 3, H, W]`. */
  readonly pixels?: Value | undefined;
  /** int32 `[N]`: which of these each image is that is shown; absent where `N = U`, one for one. */
  readonly shown?: Value | undefined;
  /** int32 `[B, M]`: 1, 2, … for the images of each row. */
  readonly imageNumbers?: Value | undefined;
  /** int32 `[N]`: where each image is in `imageNumbers`, flat. */
  readonly imagePlaces?: Value | undefined;
  /** int32 `[B, T]`: the number of the last image at or before each token. Absent for tokens behind a prompt. */
  readonly latest?: Value | undefined;
}

/** Final hidden states `[B, T, D]`, or `[K, D]` of the rows asked for, and the state after these tokens. */
export function flamingoHidden(
  p: Scope,
  c: FlamingoConfig,
  x: FlamingoInputs,
  ask?: DecodeAsk,
): { readonly hidden: Value; readonly state: Named<Value> } {
  const language = p.at(flamingoParts.language);
  const gatedPlace = p.at(flamingoParts.gated);
  const embeds = c.text.embed(language, x.ids);
  const layers =
    ask?.state && !x.latest
      ? gatedOverState(gatedPlace, c.gated, ask.state.values)
      : gatedOverText(gatedPlace, c.gated, shownTo(p, c, x), x.ids.shape[0] as Dim, ask?.state !== undefined);
  const { hidden, state } = c.text.decode(language, embeds, { ...ask, around: { before: layers.before } });
  return { hidden, state: { ...state, ...layers.state } };
}

function shownTo(p: Scope, c: FlamingoConfig, x: FlamingoInputs): Shown | undefined {
  const { pixels, shown, imageNumbers: numbers, imagePlaces, latest } = x;
  if (!pixels || !numbers || !imagePlaces || !latest) return undefined;
  const { hiddenStates } = clipVision(p.at(flamingoParts.vision), c.vision, pixels);
  // The patches after the last block, without its norm and without the class row.
  const patches = p.at(flamingoParts.vision).build(() => slice(hiddenStates.at(-1) as Value, 1, 1));
  const resampler = p.at(flamingoParts.resampler);
  const seen = perceiver(resampler, c.resampler, patches);
  const latents = resampler.build(() => latentsByRow(featuresShown(seen, shown), imagePlaces, numbers));
  return { latents, numbers, latest };
}
