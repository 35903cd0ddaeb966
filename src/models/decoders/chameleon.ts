import { add, layerNorm, mul, reshape, type Value } from '../../graph/index.ts';
import { embedding, linear, normal, onesInit, rmsNormAt, type Scope, zerosInit } from '../../nn/index.ts';
import { activations } from '../activations.ts';
import { type ConfigJson, ConfigReader, mostLayers } from '../config.ts';
import { llamaLayouts } from '../weights/index.ts';
import { type Attend, attentionState, keptRows, throughBlocks } from './attention.ts';
import type { DecodeAsk, Decoder } from './decoder.ts';
import { tokenLogits } from './head.ts';
import { readRope } from './rope.ts';
import { decoderStarts } from './starts.ts';

type ChameleonTextConfig = ReturnType<typeof chameleonTextConfig>;

function chameleonTextConfig(json: ConfigJson, where?: string) {
  const c = new ConfigReader(json, where);
  const width = c.size('hidden_size', 4096);
  const heads = c.divisor('num_attention_heads', width, 32);
  const layers = c.size('num_hidden_layers', 32, mostLayers);
  const headSize = width / heads;
  const rope = readRope(c, headSize, { theta: 10000, positions: 4096 });
  return {
    vocabSize: c.size('vocab_size', 65536),
    width,
    innerWidth: c.size('intermediate_size', 11008),
    layers,
    heads,
    kvHeads: c.divisor('num_key_value_heads', heads, heads),
    headSize,
    maxPositions: rope.maxPositions,
    normEpsilon: c.positive('rms_norm_eps', 1e-5),
    rope,
    windows: Array<undefined>(layers).fill(undefined),
    tied: c.flag('tie_word_embeddings', false),
    bias: c.flag('attention_bias', false),
    mlpBias: c.flag('mlp_bias', false),
    /** Norms after both halves of a block in the place of before (34B). */
    swinNorm: c.flag('swin_norm', false),
    activation: c.choice('hidden_act', activations, 'silu'),
    initStd: c.positive('initializer_range', 0.02),
  };
}

/** Of the norms of queries and keys, whatever that of the others is. */
const headNormEpsilon = 1e-5;

/**
 * The decoder of Chameleon (Chameleon Team 2024): LLaMA's block with layer norms of queries and keys before they turn, each
 * head with a weight and a bias of its own. It is no model by itself: a configuration of type chameleon has its tokenizer of images.
 */
export function chameleonDecoder(json: ConfigJson, where?: string): Decoder {
  const c = chameleonTextConfig(json, where);
  const { embedding: start } = decoderStarts(c);
  return {
    vocabSize: c.vocabSize,
    width: c.width,
    maxPositions: c.maxPositions,
    layers: c.layers,
    heads: { query: c.heads, key: c.kvHeads, size: c.headSize },
    state: attentionState(c),
    embed: (p, ids) => embedding(p.at('model.embed_tokens'), ids, c.vocabSize, c.width, start),
    decode: (p, embeds, ask) => decode(p.at('model'), c, embeds, ask),
    head: (p, hidden) =>
      tokenLogits(p, hidden, { ...c, table: 'model.embed_tokens', embedding: start, init: normal(c.initStd) }),
    linears: { blocks: ['model.layers'], head: 'lm_head' },
    layouts: llamaLayouts,
    tied: { 'lm_head.weight': 'model.embed_tokens.weight' },
  };
}

function decode(p: Scope, c: ChameleonTextConfig, embeds: Value, ask: DecodeAsk = {}) {
  const { x, state } = throughBlocks(p, c, embeds, ask, (place, ...rest) => block(place, c, ...rest));
  return { hidden: rmsNormAt(p.at('norm'), x, c.normEpsilon), state };
}

/** One layer; with `rows`, what follows its attention is computed for these flat rows alone. */
function block(p: Scope, c: ChameleonTextConfig, x: Value, attend: Attend, rows: Value | undefined): Value {
  const norm = (name: string, states: Value) => rmsNormAt(p.at(name), states, c.normEpsilon);
  const before = (name: string, states: Value) => (c.swinNorm ? states : norm(name, states));
  const after = (name: string, states: Value) => (c.swinNorm ? norm(name, states) : states);
  const read = before('input_layernorm', x);
  const attended = p.build(() =>
    add(keptRows(x, rows), after('input_layernorm', selfAttention(p.at('self_attn'), c, read, attend, rows))),
  );
  const inner = gated(p.at('mlp'), c, before('post_attention_layernorm', attended));
  return p.build(() => add(attended, after('post_attention_layernorm', inner)));
}

function selfAttention(p: Scope, c: ChameleonTextConfig, x: Value, attend: Attend, rows: Value | undefined): Value {
  const starts = decoderStarts(c);
  const inward = (name: string, states: Value, heads: number) =>
    linear(p.at(name), states, heads * c.headSize, { bias: c.bias, init: starts.inward });
  const project = (states: Value) => ({
    key: headNorm(p.at('k_norm'), c, inward('k_proj', states, c.kvHeads), c.kvHeads),
    value: inward('v_proj', states, c.kvHeads),
  });
  const query = headNorm(p.at('q_norm'), c, inward('q_proj', x, c.heads), c.heads);
  const { key, value } = project(x);
  const mixed = p.build(() => keptRows(attend(query, key, value, project), rows));
  return linear(p.at('o_proj'), mixed, c.width, { bias: c.bias, init: starts.outward(c.width) });
}

function gated(p: Scope, c: ChameleonTextConfig, x: Value): Value {
  const starts = decoderStarts(c);
  const inward = (name: string) => linear(p.at(name), x, c.innerWidth, { bias: c.mlpBias, init: starts.inward });
  const [gate, up] = [inward('gate_proj'), inward('up_proj')];
  const product = p.build(() => mul(c.activation(gate), up));
  return linear(p.at('down_proj'), product, c.width, { bias: c.mlpBias, init: starts.outward(c.innerWidth) });
}

/** Every head of `x [.., heads*d]` normalised on its own, by its own rows of a weight and a bias `[heads, d]`. */
function headNorm(p: Scope, c: ChameleonTextConfig, x: Value, heads: number): Value {
  const shape = [heads, c.headSize];
  return p.build(() => {
    const normal = layerNorm(reshape(x, [...x.shape.slice(0, -1), ...shape]), undefined, undefined, headNormEpsilon);
    const scaled = mul(normal, p.param('weight', shape, onesInit));
    return reshape(add(scaled, p.param('bias', shape, zerosInit)), x.shape);
  });
}
