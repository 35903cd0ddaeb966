import type { Named } from '../../base/index.ts';
import type { ConfigJson } from '../config.ts';
import { decoders, encoderDecoders } from '../decoders/index.ts';
import type { Model } from '../model.ts';
import { blip2, blip2Recipe } from './blip2.ts';
import { chameleon, chameleonRecipe } from './chameleon.ts';
import { clip, clipRecipe, clipVisionModel } from './clip.ts';
import { encoderDecoder } from './encoder-decoder.ts';
import { flamingo, flamingoRecipe } from './flamingo.ts';
import { language, languageRecipe } from './language.ts';
import { llamaAdapter, llamaAdapterRecipe } from './llama-adapter.ts';
import { llava, llavaRecipe } from './llava.ts';
import type { SystemRecipe } from './recipe.ts';

/** The architectures that recipes train, by the names that they give them; the first is meant where any would do. */
export const architectures: Named<SystemRecipe> = {
  llava: llavaRecipe,
  llama: languageRecipe,
  clip: clipRecipe,
  llama_adapter: llamaAdapterRecipe,
  flamingo: flamingoRecipe,
  'blip-2': blip2Recipe,
  chameleon: chameleonRecipe,
};

/** What each `model_type` of a `config.json` stands for. */
export const systems: Named<(json: ConfigJson, where?: string) => Model> = {
  ...Object.fromEntries(Object.keys(decoders).map((type) => [type, language])),
  ...Object.fromEntries(Object.keys(encoderDecoders).map((type) => [type, encoderDecoder])),
  llava,
  llama_adapter: llamaAdapter,
  flamingo,
  'blip-2': blip2,
  chameleon,
  clip,
  clip_vision_model: clipVisionModel,
};
