import { add, mul, reshape, type Value } from '../../graph/index.ts';
import { embedding, linear, normal, rmsNormAt, type Scope } from '../../nn/index.ts';
import { activations } from '../activations.ts';
import { type ConfigJson, ConfigReader, mostLayers } from '../config.ts';
import { llamaLayouts } from '../weights/index.ts';
import { type Attend, attentionState, keptRows, throughBlocks } from './attention.ts';
import type { DecodeAsk, Decoder } from './decoder.ts';
import { tokenLogits } from './head.ts';
import { readRope } from './rope.ts';
import { decoderStarts } from './starts.ts';
import { readQwenWindows } from './window.ts';

type Qwen3Config = ReturnType<typeof qwen3Config>;

function qwen3Config(json: ConfigJson, where?: string) {
  const c = new ConfigReader(json, where);
  const heads = c.size('num_attention_heads', 32);
  const headSize = 2 * c.half('head_dim', 128);
  const layers = c.size('num_hidden_layers', 32, mostLayers);
  const rope = readRope(c, headSize, { theta: 10000, positions: 32768 });
  return {
    vocabSize: c.size('vocab_size', 151936),
    width: c.size('hidden_size', 4096),
    innerWidth: c.size('intermediate_size', 22016),
    layers,
    heads,
    kvHeads: c.divisor('num_key_value_heads', heads, Math.min(heads, 32)),
    headSize,
    maxPositions: rope.maxPositions,
    normEpsilon: c.positive('rms_norm_eps', 1e-6),
    rope,
    windows: readQwenWindows(c, layers, rope.maxPositions),
    tied: c.flag('tie_word_embeddings', false),
    bias: c.flag('attention_bias', false),
    activation: c.choice('hidden_act', activations, 'silu'),
    initStd: c.positive('initializer_range', 0.02),
  };
}

/** Qwen3 (Yang et al. 2025), dense: LLaMA's block with queries and keys normalised head by head. */
export function qwen3(json: ConfigJson, where?: string): Decoder {
  const c = qwen3Config(json, where);
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

function decode(p: Scope, c: Qwen3Config, embeds: Value, ask: DecodeAsk = {}) {
  const { x, state } = throughBlocks(p, c, embeds, ask, (place, ...rest) => block(place, c, ...rest));
  return { hidden: rmsNormAt(p.at('norm'), x, c.normEpsilon), state };
}

/** One layer; with `rows`, what follows its attention is computed for these flat rows alone. */
function block(p: Scope, c: Qwen3Config, x: Value, attend: Attend, rows: Value | undefined): Value {
  const starts = decoderStarts(c);
  const [self, mlp] = [p.at('self_attn'), p.at('mlp')];
  const inward = (q: Scope, input: Value, width: number, bias: boolean) =>
    linear(q, input, width, { bias, init: starts.inward });
  const outward = (q: Scope, input: Value, fanIn: number, bias: boolean) =>
    linear(q, input, c.width, { bias, init: starts.outward(fanIn) });
  const normed = rmsNormAt(p.at('input_layernorm'), x, c.normEpsilon);
  const project = (states: Value) => ({
    key: headNorm(self.at('k_norm'), c, inward(self.at('k_proj'), states, c.kvHeads * c.headSize, c.bias), c.kvHeads),
    value: inward(self.at('v_proj'), states, c.kvHeads * c.headSize, c.bias),
  });
  const query = headNorm(
    self.at('q_norm'),
    c,
    inward(self.at('q_proj'), normed, c.heads * c.headSize, c.bias),
    c.heads,
  );
  const { key, value } = project(normed);
  const mixed = self.build(() => keptRows(attend(query, key, value, project), rows));
  const out = outward(self.at('o_proj'), mixed, c.heads * c.headSize, c.bias);
  const attended = p.build(() => add(keptRows(x, rows), out));
  const inner = rmsNormAt(p.at('post_attention_layernorm'), attended, c.normEpsilon);
  const gate = inward(mlp.at('gate_proj'), inner, c.innerWidth, false);
  const up = inward(mlp.at('up_proj'), inner, c.innerWidth, false);
  const gated = mlp.build(() => mul(c.activation(gate), up));
  return p.build(() => add(attended, outward(mlp.at('down_proj'), gated, c.innerWidth, false)));
}

/** Every head of `x [B, T, heads*d]` normalised on its own, by one weight of `d` numbers. */
function headNorm(p: Scope, c: Qwen3Config, x: Value, heads: number): Value {
  const perHead = reshape(x, [...x.shape.slice(0, -1), heads, c.headSize]);
  return reshape(rmsNormAt(p, perHead, c.normEpsilon), x.shape);
}
