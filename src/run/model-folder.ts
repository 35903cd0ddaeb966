import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ChatTemplate, type ImageProcessor, writeImageProcessor } from '../data/index.ts';
import { sealFolder, writeFolder } from '../files/index.ts';
import { type JsonObject, type SaveDType, saveModel, writeJsonObject } from '../models/index.ts';
import type { Parts } from './parts.ts';

export interface ModelFolderOptions {
  readonly dtype: SaveDType;
  /** The prompt the model was trained in. */
  readonly template?: ChatTemplate;
  readonly processor?: ImageProcessor;
  /** Text of the model card. */
  readonly card?: string;
  readonly overwrite?: boolean;
  /** Folders that are being read. */
  readonly sources?: readonly string[];
}

/** Writes a Hugging Face folder: weights, configuration, tokenizer, preprocessing and prompt. */
export function writeModelFolder(folder: string, parts: Parts, options: ModelFolderOptions): void {
  writeFolder(
    folder,
    (partial) => {
      saveModel(partial, parts.loaded, options.dtype);
      for (const [name, text] of parts.tokenizer.files) writeFileSync(join(partial, name), text);
      const { bos, eos, pad } = parts.tokenizer;
      const ids = { bos_token_id: bos ?? null, eos_token_id: eos ?? null, pad_token_id: pad ?? null };
      writeJsonObject(join(partial, 'generation_config.json'), ids);
      if (options.processor) writePreprocessing(partial, parts, options.processor);
      if (options.template) writeFileSync(join(partial, 'chat_template.jinja'), options.template.source);
      if (options.card !== undefined) writeFileSync(join(partial, 'README.md'), options.card);
      sealFolder(partial, ['README.md']);
    },
    { overwrite: options.overwrite ?? false, sources: options.sources ?? [] },
  );
}

function writePreprocessing(folder: string, { loaded: { model }, imageToken }: Parts, processor: ImageProcessor): void {
  writeJsonObject(join(folder, 'preprocessor_config.json'), writeImageProcessor(processor) as JsonObject);
  if (model.architecture !== 'llava' || imageToken === undefined) return;
  const vision = model.json.vision_config as { patch_size: number };
  writeJsonObject(join(folder, 'processor_config.json'), {
    processor_class: 'LlavaProcessor',
    patch_size: vision.patch_size,
    vision_feature_select_strategy: String(model.json.vision_feature_select_strategy ?? 'default'),
    num_additional_image_tokens: 1,
    image_token: imageToken,
  });
}
