import { add, mul, split, type Value } from '../../graph/index.ts';
import { embedding, linear, normal, rmsNormAt, type Scope } from '../../nn/index.ts';
import { activations } from '../activations.ts';
import { type ConfigJson, ConfigReader, mostLayers } from '../config.ts';
import { llamaLayouts } from '../weights/index.ts';
import { type Attend, attentionState, keptRows, throughBlocks } from './attention.ts';
import type { DecodeAsk, Decoder } from './decoder.ts';
import { tokenLogits } from './head.ts';
import { readRope } from './rope.ts';
import { decoderStarts } from './starts.ts';
import { readWindows } from './window.ts';

type Phi3Config = ReturnType<typeof phi3Config>;

function phi3Config(json: ConfigJson, where?: string) {
  const c = new ConfigReader(json, where);
  const heads = c.size('num_attention_heads', 32);
  const width = c.size('hidden_size', 3072);
  const headSize = 2 * c.half('head_dim', width / heads);
  const layers = c.size('num_hidden_layers', 32, mostLayers);
  const rope = readRope(c, headSize, { theta: 10000, positions: 4096 });
  return {
    vocabSize: c.size('vocab_size', 32064),
    width,
    innerWidth: c.size('intermediate_size', 8192),
    layers,
    heads,
    kvHeads: c.divisor('num_key_value_heads', heads, heads),
    headSize,
    maxPositions: rope.maxPositions,
    normEpsilon: c.positive('rms_norm_eps', 1e-5),
    rope,
    windows: readWindows(c, { layers, maxPositions: rope.maxPositions, slides: () => true }),
    tied: c.flag('tie_word_embeddings', false),
    activation: c.choice('hidden_act', activations, 'silu'),
    initStd: c.positive('initializer_range', 0.02),
  };
}

/** Phi-3, Phi-3.5 and Phi-4-mini (Abdin et al. 2024): one matrix for queries, keys and values, one for gate and inner states. */
export function phi3(json: ConfigJson, where?: string): Decoder {
  const c = phi3Config(json, where);
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

function decode(p: Scope, c: Phi3Config, embeds: Value, ask: DecodeAsk = {}) {
  const { x, state } = throughBlocks(p, c, embeds, ask, (place, ...rest) => block(place, c, ...rest));
  return { hidden: rmsNormAt(p.at('norm'), x, c.normEpsilon), state };
}

/** One layer; with `rows`, what follows its attention is computed for these flat rows alone. */
function block(p: Scope, c: Phi3Config, x: Value, attend: Attend, rows: Value | undefined): Value {
  const starts = decoderStarts(c);
  const [self, mlp] = [p.at('self_attn'), p.at('mlp')];
  const outward = (q: Scope, input: Value, fanIn: number) =>
    linear(q, input, c.width, { bias: false, init: starts.outward(fanIn) });
  const fused = (q: Scope, input: Value, sizes: readonly number[]) => {
    const width = sizes.reduce((a, b) => a + b);
    return split(linear(q, input, width, { bias: false, init: starts.inward }), input.shape.length - 1, sizes);
  };
  const [queries, keys] = [c.heads * c.headSize, c.kvHeads * c.headSize];
  const project = (states: Value) => {
    const [query, key, value] = fused(self.at('qkv_proj'), states, [queries, keys, keys]) as [Value, Value, Value];
    return { query, key, value };
  };
  const { query, key, value } = project(rmsNormAt(p.at('input_layernorm'), x, c.normEpsilon));
  const mixed = self.build(() => keptRows(attend(query, key, value, project), rows));
  const attended = p.build(() => add(keptRows(x, rows), outward(self.at('o_proj'), mixed, queries)));
  const inner = rmsNormAt(p.at('post_attention_layernorm'), attended, c.normEpsilon);
  const [gate, up] = fused(mlp.at('gate_up_proj'), inner, [c.innerWidth, c.innerWidth]) as [Value, Value];
  const gated = mlp.build(() => mul(c.activation(gate), up));
  return p.build(() => add(attended, outward(mlp.at('down_proj'), gated, c.innerWidth)));
}
