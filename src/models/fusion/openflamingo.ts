import { type ConfigJson, ConfigReader } from '../config.ts';

/*
 * A file of OpenFlamingo (Awadalla et al. 2023) holds what was trained: the resampler, the gated layers and the table of
 * tokens. The language model and the tower are folders of their own, which the arguments of its factory name.
 */

/** The folders that a configuration names, as OpenFlamingo calls them, by the part that each gives. */
const folders = { language: 'lang_encoder_path', vision: 'clip_vision_encoder_path' } as const;

/** True for a `config.json` that names the folders of its frozen parts. */
export function isOpenFlamingo(json: ConfigJson): boolean {
  return json.model_type === 'flamingo' && Object.values(folders).every((key) => typeof json[key] === 'string');
}

/** The folder of each frozen part, as the configuration names it. */
export function frozenFolders(json: ConfigJson): { readonly language: string; readonly vision: string } {
  return { language: String(json[folders.language]), vision: String(json[folders.vision]) };
}

/** The same model as one `config.json`, which has the configurations of its parts and as many tokens as the file says. */
export function fromOpenFlamingo(
  json: ConfigJson,
  parts: { readonly language: ConfigJson; readonly vision: ConfigJson },
  where?: string,
): ConfigJson {
  const said = new Set<string>(['vocab_size', ...Object.values(folders)]);
  const rest = Object.fromEntries(Object.entries(json).filter(([key]) => !said.has(key)));
  return {
    ...rest,
    architectures: ['Flamingo'],
    vision_config: { ...parts.vision, model_type: 'clip_vision_model' },
    text_config: { ...parts.language, vocab_size: new ConfigReader(json, where).size('vocab_size') },
    tie_word_embeddings: parts.language.tie_word_embeddings ?? false,
  };
}
