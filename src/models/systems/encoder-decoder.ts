import type { Named, Shape } from '../../base/index.ts';
import type { Value } from '../../graph/index.ts';
import type { Scope } from '../../nn/index.ts';
import type { ConfigJson } from '../config.ts';
import { type Decoder, decoderFromConfig, encoderDecoders, type SourceReader } from '../decoders/index.ts';
import { neededInput } from '../inputs.ts';
import type { Model, Writer } from '../model.ts';
import { sourceInputs } from './inputs.ts';

/**
 * An encoder-decoder alone: what a row is asked is its source, and its answer begins with a token of the model. What the
 * decoder keeps of a source is made where the source is given, and read where it is not.
 */
export function encoderDecoder(json: ConfigJson, where?: string): Model {
  const decoder = decoderFromConfig(json, where, encoderDecoders);
  const source = decoder.source as SourceReader;
  const writer: Writer = {
    vocabSize: decoder.vocabSize,
    width: decoder.width,
    maxPositions: decoder.maxPositions,
    state: { ...decoder.state, ...source.state } satisfies Named<Shape>,
    linears: decoder.linears,
    source,
    hidden(p, x, ask) {
      const fresh = x.sourceIds && readSource(p, decoder, x);
      const embeds = decoder.embed(p, neededInput(x, 'ids'));
      const { hidden, state } = decoder.decode(p, embeds, { ...ask, source: fresh ?? ask?.state?.values });
      return { hidden, state: { ...state, ...(ask?.state && fresh) } };
    },
    head: decoder.head,
  };
  return {
    architecture: String(json.model_type),
    json,
    layouts: decoder.layouts,
    tied: decoder.tied,
    parts: { language: '' },
    processor: () => sourceInputs(source),
    forward: (p, x) => ({ logits: writer.head(p, writer.hidden(p, x).hidden) }),
    writer,
  };
}

function readSource(p: Scope, decoder: Decoder, x: Named<Value>): Named<Value> {
  const embeds = decoder.embed(p, neededInput(x, 'sourceIds'));
  return (decoder.source as SourceReader).read(p, embeds, neededInput(x, 'sourceLengths'));
}
