import { TesseraError } from '../base/index.ts';
import type { ConfigJson } from './config.ts';

export type SizeName = 'tiny' | 'small' | '7b' | '13b';

interface Widths {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
}

interface SizeTable {
  readonly language: Widths & { readonly max_position_embeddings: number };
  readonly vision: Widths & { readonly image_size: number; readonly patch_size: number };
  /** CLIP's text tower and its common space. */
  readonly text: Widths & { readonly projection_dim: number };
}

const widths = (hidden: number, inner: number, layers: number, heads: number): Widths => ({
  hidden_size: hidden,
  intermediate_size: inner,
  num_hidden_layers: layers,
  num_attention_heads: heads,
});

/** CLIP ViT-L/14-336 and its text tower (Radford et al. 2021, table 20). */
const clipLarge = {
  vision: { ...widths(1024, 4096, 24, 16), image_size: 336, patch_size: 14 },
  text: { ...widths(768, 3072, 12, 12), projection_dim: 768 },
};

/** The sizes that recipes name: two for the tabletop world, two of the papers (LLaMA, Touvron et al. 2023, table 2). */
const sizes: Readonly<Record<SizeName, SizeTable>> = {
  tiny: {
    language: { ...widths(192, 512, 4, 3), max_position_embeddings: 1024 },
    vision: { ...widths(128, 512, 5, 4), image_size: 64, patch_size: 8 },
    text: { ...widths(128, 512, 3, 4), projection_dim: 128 },
  },
  small: {
    language: { ...widths(320, 864, 6, 5), max_position_embeddings: 2048 },
    vision: { ...widths(192, 768, 6, 6), image_size: 96, patch_size: 8 },
    text: { ...widths(192, 768, 4, 6), projection_dim: 192 },
  },
  '7b': { language: { ...widths(4096, 11008, 32, 32), max_position_embeddings: 4096 }, ...clipLarge },
  '13b': { language: { ...widths(5120, 13824, 40, 40), max_position_embeddings: 4096 }, ...clipLarge },
};

/** What a tokenizer says of itself in a configuration. */
export interface VocabularyFacts {
  readonly vocabSize: number;
  readonly bos?: number;
  readonly eos?: number;
  readonly pad?: number;
}

const tokenIds = ({ bos, eos, pad }: VocabularyFacts) => ({
  bos_token_id: bos ?? null,
  eos_token_id: eos ?? null,
  pad_token_id: pad ?? null,
});

/** `config.json` of a new LLaMA-style decoder. */
export function llamaJson(size: SizeName, vocabulary: VocabularyFacts): ConfigJson {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: vocabulary.vocabSize,
    ...sizes[size].language,
    num_key_value_heads: sizes[size].language.num_attention_heads,
    hidden_act: 'silu',
    rms_norm_eps: 1e-5,
    rope_theta: 500000, // LLaMA 3; more of a narrow head is left to compare words wherever they stand
    attention_bias: false,
    mlp_bias: false,
    initializer_range: 0.02,
    tie_word_embeddings: false,
    ...tokenIds(vocabulary),
  };
}

/** `config.json` of a new CLIP vision tower. */
export function clipVisionJson(size: SizeName): ConfigJson {
  return {
    model_type: 'clip_vision_model',
    ...sizes[size].vision,
    projection_dim: sizes[size].text.projection_dim,
    num_channels: 3,
    hidden_act: 'quick_gelu',
    layer_norm_eps: 1e-5,
  };
}

/** `config.json` of a new two-tower CLIP. */
export function clipJson(size: SizeName, vocabulary: VocabularyFacts): ConfigJson {
  const { projection_dim, ...text } = sizes[size].text;
  return {
    architectures: ['CLIPModel'],
    model_type: 'clip',
    projection_dim,
    logit_scale_init_value: 2.6592,
    vision_config: clipVisionJson(size),
    text_config: {
      model_type: 'clip_text_model',
      ...text,
      projection_dim,
      vocab_size: vocabulary.vocabSize,
      max_position_embeddings: 77,
      hidden_act: 'quick_gelu',
      layer_norm_eps: 1e-5,
      ...tokenIds(vocabulary),
    },
  };
}

/** `config.json` of a LLaVA made of a vision tower and a language model. */
export function llavaJson(parts: {
  readonly vision: ConfigJson;
  readonly language: ConfigJson;
  readonly projector: 'linear' | 'mlp';
  readonly imageTokenId: number | undefined;
}): ConfigJson {
  return {
    architectures: ['LlavaForConditionalGeneration'],
    model_type: 'llava',
    vision_config: parts.vision,
    text_config: parts.language,
    image_token_index: parts.imageTokenId,
    // transformers knows the two-layer projector alone and ignores this key.
    ...(parts.projector === 'linear' && { projector_type: 'linear' }),
    projector_hidden_act: 'gelu',
    vision_feature_layer: -2,
    vision_feature_select_strategy: 'default',
    tie_word_embeddings: parts.language.tie_word_embeddings ?? false,
  };
}

/** The vision configuration of a folder that holds a vision tower, alone or beside a text tower. */
export function visionPart(json: ConfigJson, where: string): ConfigJson {
  if (json.model_type === 'clip_vision_model') return json;
  if (json.model_type === 'clip') return json.vision_config as ConfigJson;
  throw new TesseraError({
    code: 'model/no-vision',
    message: 'the folder holds no vision tower',
    path: `${where}: model_type`,
    expected: 'clip or clip_vision_model',
    got: String(json.model_type),
  });
}
