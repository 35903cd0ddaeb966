import { type ConfigJson, ConfigReader } from '../config.ts';

/** True for a `config.json` of the first LLaVA release, whose vision tower is a folder of its own. */
export function isOriginalLlava(json: ConfigJson): boolean {
  return typeof json.mm_vision_tower === 'string' && json.vision_config === undefined;
}

/**
 * The same model as a `llava` configuration. The release marks images by id -200, outside its vocabulary; a slot's id
 * is never looked at, so the unknown token fills it.
 */
export function fromOriginalLlava(json: ConfigJson, tower: ConfigJson): ConfigJson {
  const c = new ConfigReader(json);
  const projector = c.choice('mm_projector_type', { linear: 'linear', mlp2x_gelu: 'mlp' } as const, 'linear');
  c.require('mm_use_im_start_end', [false]);
  c.require('mm_use_im_patch_token', [false]);
  const text = Object.fromEntries(
    Object.entries(json).filter(([key]) => !key.startsWith('mm_') && key !== 'architectures'),
  );
  return {
    architectures: ['LlavaForConditionalGeneration'],
    model_type: 'llava',
    image_token_index: 0,
    projector_type: projector,
    projector_hidden_act: 'gelu',
    multimodal_projector_bias: true,
    vision_feature_layer: c.number('mm_vision_select_layer', -2),
    vision_feature_select_strategy: c.choice(
      'mm_vision_select_feature',
      { patch: 'default', cls_patch: 'full' } as const,
      'patch',
    ),
    tie_word_embeddings: c.flag('tie_word_embeddings', false),
    text_config: { ...text, model_type: 'llama' },
    vision_config: { ...tower, model_type: 'clip_vision_model' },
  };
}
