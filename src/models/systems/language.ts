import type { ConfigJson } from '../config.ts';
import { decoderFromConfig } from '../decoders/index.ts';
import { neededInput } from '../inputs.ts';
import type { Model, Writer } from '../model.ts';
import { llamaJson } from '../sizes.ts';
import { tokenIds } from './inputs.ts';
import { newWords, oneTokenizer } from './keys.ts';
import type { SystemRecipe } from './recipe.ts';

/** Model types that are LLaMA but for their configurations. */
const llamaTypes = new Set(['mistral', 'qwen2']);

/** A new one is LLaMA's; a folder may hold any. */
export const languageRecipe: SystemRecipe = {
  keys: newWords,
  needs: ['size'],
  oneOf: { tokenizer: oneTokenizer },
  fresh: llamaJson,
  does: ['writer'],
  language: '',
  seesImages: false,
};

/** A language model alone. */
export function language(json: ConfigJson, where?: string): Model {
  const decoder = decoderFromConfig(json, where);
  const type = String(json.model_type);
  const writer: Writer = {
    vocabSize: decoder.vocabSize,
    width: decoder.width,
    maxPositions: decoder.maxPositions,
    state: decoder.state,
    linears: decoder.linears,
    hidden: (p, x, ask) => decoder.decode(p, decoder.embed(p, neededInput(x, 'ids')), ask),
    head: decoder.head,
  };
  return {
    architecture: llamaTypes.has(type) ? 'llama' : type,
    json,
    layouts: decoder.layouts,
    tied: decoder.tied,
    parts: { language: '' },
    processor: () => ({ inputs: { ids: tokenIds } }),
    forward: (p, x) => ({ logits: writer.head(p, writer.hidden(p, x).hidden) }),
    writer,
    pieces: { decoder, at: '' },
  };
}
