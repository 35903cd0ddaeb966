import type { Named } from '../../base/index.ts';
import type { ConfigJson } from '../config.ts';
import { decoders } from '../decoders/index.ts';
import type { Model } from '../model.ts';
import { clip, clipVisionModel } from './clip.ts';
import { language } from './language.ts';
import { llava } from './llava.ts';

/** What each `model_type` of a `config.json` stands for. */
export const systems: Named<(json: ConfigJson, where?: string) => Model> = {
  ...Object.fromEntries(Object.keys(decoders).map((type) => [type, language])),
  llava,
  clip,
  clip_vision_model: clipVisionModel,
};
