import { int32, type Named } from '../../base/index.ts';
import { gather, reshape, scatterRows, type Value } from '../../graph/index.ts';
import type { Scope } from '../../nn/index.ts';
import { type ConfigJson, ConfigReader } from '../config.ts';
import { chameleonDecoder, type DecodeAsk, type Decoder } from '../decoders/index.ts';
import { featuresShown } from '../inputs.ts';
import { imageCodes, type VqConfig, vqConfig } from '../vision/vq.ts';

/** Chameleon (Chameleon Team 2024): codes of images are tokens among others. */
export interface ChameleonConfig {
  readonly vq: VqConfig;
  readonly text: Decoder;
  /** Stands in the slots of an image until its codes are known. */
  readonly imageTokenId: number;
  /** Stand before and behind the codes of an image. */
  readonly beginId: number;
  readonly endId: number;
  /** The token of each code. */
  readonly codeIds: readonly number[];
}

/** Places of its parts. */
export const chameleonParts = { language: 'language_model', vision: 'vqmodel' } as const;

/** Names that its vocabulary has for what is no text: the slots of an image, what stands around its codes, the end of a turn. */
export const chameleonTokens = {
  image: '<image>',
  begin: '<racm3:break>',
  end: '<eoss>',
  turn: '<reserved08706>',
} as const;

/** The name of a code's token: letters A to J for the digits 0 to 9. */
export function codeToken(code: number): string {
  const letters = String(code).replace(/\d/g, (digit) => String.fromCharCode(65 + Number(digit)));
  return `IMGIMG${letters}Z`;
}

/** Reads a `config.json` of model type chameleon. */
export function chameleonConfig(json: ConfigJson, where?: string): ChameleonConfig {
  const c = new ConfigReader(json, where);
  c.require('model_type', ['chameleon']);
  const parts = c.part('vq_config');
  const vq = vqConfig(parts.json, parts.where);
  const text = chameleonDecoder(json, c.where);
  const vocabulary = c.part('vocabulary_map');
  const idOf = (name: string) => vocabulary.integer(name, 0, text.vocabSize - 1);
  const codeIds = Array.from({ length: vq.codes }, (_, code) => idOf(codeToken(code)));
  const others = Object.keys(vocabulary.json).filter((name) => name.startsWith('IMGIMG'));
  if (others.length !== vq.codes || new Set(codeIds).size !== vq.codes) {
    throw c.fault(
      'vocabulary_map',
      `one id of its own for each of the ${vq.codes} codes of vq_config, ${codeToken(0)} and so on`,
    );
  }
  const { image, begin, end } = chameleonTokens;
  return { vq, text, imageTokenId: idOf(image), beginId: idOf(begin), endId: idOf(end), codeIds };
}

export interface ChameleonInputs {
  /** int32 `[B, T]`; slots of images hold the image token. */
  readonly ids: Value;
  /** `[U, 3, H, W]`. */
  readonly pixels?: Value | undefined;
  /** int32 `[N]`: which of these each image is that is shown; absent where `N = U`, one for one. */
  readonly shown?: Value | undefined;
  /** int32 `[N*P]`: flat rows of the slots. */
  readonly imageRows?: Value | undefined;
}

/** Token ids int32 `[N, P]` of the codes of pixels `[N, 3, H, W]`. */
export function imageTokens(p: Scope, { vq, codeIds }: ChameleonConfig, pixels: Value): Value {
  const place = p.at(chameleonParts.vision);
  const codes = imageCodes(place, vq, pixels);
  return place.build(() => gather(p.graph.constant(int32([codeIds.length], codeIds)), codes));
}

/** Final hidden states `[B, T, D]`, or `[K, D]` of the rows asked for, and the ids that were read where images fill slots. */
export function chameleonHidden(
  p: Scope,
  c: ChameleonConfig,
  { ids, pixels, shown, imageRows }: ChameleonInputs,
  ask?: DecodeAsk,
): { readonly hidden: Value; readonly state: Named<Value>; readonly ids?: Value } {
  const place = p.at(chameleonParts.language);
  if (!pixels || !imageRows) return c.text.decode(place, c.text.embed(place, ids), ask);
  const tokens = featuresShown(imageTokens(p, c, pixels), shown);
  const read = p.build(() => reshape(scatterRows(reshape(ids, [-1]), imageRows, reshape(tokens, [-1])), ids.shape));
  return { ...c.text.decode(place, c.text.embed(place, read), ask), ids: read };
}
