import { type Named, nearest, TesseraError } from '../../base/index.ts';
import type { ConfigJson } from '../config.ts';
import type { Decoder, LinearPlaces } from './decoder.ts';
import { gemma2 } from './gemma2.ts';
import { gptNeox } from './gpt-neox.ts';
import { llama } from './llama.ts';
import { mpt } from './mpt.ts';
import { opt } from './opt.ts';
import { phi3 } from './phi3.ts';
import { qwen3 } from './qwen3.ts';
import { t5 } from './t5.ts';

export { chameleonDecoder } from './chameleon.ts';
export {
  type Around,
  type DecodeAsk,
  type Decoder,
  type DecoderState,
  isInBlocks,
  type KeyValue,
  type LayerAttention,
  type LinearPlaces,
  type SourceReader,
} from './decoder.ts';

/** What each `model_type` of a language model stands for. */
export const decoders: Named<(json: ConfigJson, where?: string) => Decoder> = {
  llama,
  mistral: llama,
  qwen2: llama,
  qwen3,
  phi3,
  gemma2,
  opt,
  mpt,
  gpt_neox: gptNeox,
};

/** Decoders that answer a source. */
export const encoderDecoders: typeof decoders = { t5 };

/**
 * The decoder that a configuration describes, such as the `text_config` of a system; LLaMA where it names no type.
 * @param among the types that will do; those without a source unless told
 * @throws TesseraError `model/unknown-decoder`
 */
export function decoderFromConfig(json: ConfigJson, where = 'config.json', among = decoders): Decoder {
  const type = String(json.model_type ?? 'llama');
  const make = Object.hasOwn(among, type) ? among[type] : undefined;
  if (make) return make(json, where);
  const near = nearest(type, Object.keys(among));
  throw new TesseraError({
    code: 'model/unknown-decoder',
    message: 'the language model is of a type that tessera does not know here',
    path: `${where}: model_type`,
    expected: Object.keys(among).join(', '),
    got: type,
    ...(near && { remedy: `did you mean ${near}?` }),
  });
}

/** Names of a part of a larger system: both sides get its place in front. */
export function mountNames(names: Named<string>, place: string): Named<string> {
  return Object.fromEntries(Object.entries(names).map(([name, other]) => [`${place}.${name}`, `${place}.${other}`]));
}

/** As `mountNames`, for the places of linear layers. */
export function mountLinears({ blocks, head }: LinearPlaces, place: string): LinearPlaces {
  return { blocks: blocks.map((block) => `${place}.${block}`), head: `${place}.${head}` };
}
