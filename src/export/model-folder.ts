import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Named } from '../base/index.ts';
import { type ChatTemplate, type ImageProcessor, type Tokenizer, writeImageProcessor } from '../data/index.ts';
import { sealFolder, writeFolder } from '../files/index.ts';
import { type JsonObject, type LoadedModel, type SaveDType, saveModel, writeJsonObject } from '../models/index.ts';

/** A model with what turns text into its tokens. */
export interface SpeakingModel {
  readonly loaded: LoadedModel;
  readonly tokenizer: Tokenizer;
  /** The token that marks an image in a prompt. */
  readonly imageToken?: string | undefined;
}

export interface ModelFolderOptions {
  readonly dtype: SaveDType;
  /** The prompt the model was trained in. */
  readonly template?: ChatTemplate;
  readonly processor?: ImageProcessor;
  /** Text of the model card. */
  readonly card?: string;
  readonly overwrite?: boolean;
  /** Paths from the folder to those of parts that are named and not written. */
  readonly bases?: Named<string>;
  /** Folders that are being read. */
  readonly sources?: readonly string[];
}

/** Writes a Hugging Face folder: weights, configuration, tokenizer, preprocessing and prompt. */
export function writeModelFolder(folder: string, parts: SpeakingModel, options: ModelFolderOptions): void {
  writeFolder(
    folder,
    (partial) => {
      saveModel(partial, parts.loaded, options.dtype, options.bases);
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

function writePreprocessing(
  folder: string,
  { loaded: { model }, imageToken }: SpeakingModel,
  processor: ImageProcessor,
): void {
  writeJsonObject(join(folder, 'preprocessor_config.json'), writeImageProcessor(processor) as JsonObject);
  const config = imageToken === undefined ? undefined : model.processorConfig?.(imageToken);
  if (config) writeJsonObject(join(folder, 'processor_config.json'), config as JsonObject);
}
