import { add, mul, rmsNorm, softCap, type Value } from '../../graph/index.ts';
import { embedding, linear, normal, type Scope, zerosInit } from '../../nn/index.ts';
import { activations } from '../activations.ts';
import { type ConfigJson, ConfigReader, mostLayers } from '../config.ts';
import { llamaLayouts } from '../weights/index.ts';
import { type Attend, attentionState, keptRows, throughBlocks } from './attention.ts';
import type { DecodeAsk, Decoder } from './decoder.ts';
import { tokenLogits } from './head.ts';
import { readRope } from './rope.ts';
import { decoderStarts } from './starts.ts';
import { readWindows } from './window.ts';

type Gemma2Config = ReturnType<typeof gemma2Config>;

function gemma2Config(json: ConfigJson, where?: string) {
  const c = new ConfigReader(json, where);
  const heads = c.size('num_attention_heads', 8);
  const headSize = 2 * c.half('head_dim', 256);
  const layers = c.size('num_hidden_layers', 26, mostLayers);
  const rope = readRope(c, headSize, { theta: 10000, positions: 8192 });
  const { maxPositions } = rope;
  c.require('use_bidirectional_attention', [null, false]);
  const cap = (key: string, fallback: number) => (json[key] === null ? undefined : c.positive(key, fallback));
  return {
    vocabSize: c.size('vocab_size', 256000),
    width: c.size('hidden_size', 2304),
    innerWidth: c.size('intermediate_size', 9216),
    layers,
    heads,
    kvHeads: c.divisor('num_key_value_heads', heads, Math.min(heads, 4)),
    headSize,
    maxPositions,
    normEpsilon: c.positive('rms_norm_eps', 1e-6),
    rope,
    windows: readWindows(c, { layers, maxPositions, slides: (layer) => layer % 2 === 0, fallback: 4096 }),
    scale: 1 / Math.sqrt(c.positive('query_pre_attn_scalar', 256)),
    softcap: cap('attn_logit_softcapping', 50),
    headCap: cap('final_logit_softcapping', 30),
    tied: c.flag('tie_word_embeddings', true),
    bias: c.flag('attention_bias', false),
    activation: c.choice('hidden_activation', activations, 'gelu_pytorch_tanh'),
    initStd: c.positive('initializer_range', 0.02),
  };
}

/**
 * Gemma 2 (Gemma Team 2024): norms before and after each half of a block, every other layer with a window, scores and
 * logits softly capped.
 */
export function gemma2(json: ConfigJson, where?: string): Decoder {
  const c = gemma2Config(json, where);
  const root = Math.fround(Math.sqrt(c.width));
  const start = normal(1 / (root * Math.sqrt(2 * c.layers)));
  return {
    vocabSize: c.vocabSize,
    width: c.width,
    maxPositions: c.maxPositions,
    layers: c.layers,
    heads: { query: c.heads, key: c.kvHeads, size: c.headSize },
    state: attentionState(c),
    embed: (p, ids) => mul(embedding(p.at('model.embed_tokens'), ids, c.vocabSize, c.width, start), root),
    decode: (p, embeds, ask) => decode(p.at('model'), c, embeds, ask),
    head(p, hidden) {
      const logits = tokenLogits(p, hidden, {
        ...c,
        table: 'model.embed_tokens',
        embedding: start,
        init: normal(c.initStd),
      });
      return c.headCap === undefined ? logits : softCap(logits, c.headCap);
    },
    linears: { blocks: ['model.layers'], head: 'lm_head' },
    layouts: llamaLayouts,
    tied: { 'lm_head.weight': 'model.embed_tokens.weight' },
  };
}

function decode(p: Scope, c: Gemma2Config, embeds: Value, ask: DecodeAsk = {}) {
  const { x, state } = throughBlocks(p, c, embeds, ask, (place, ...rest) => block(place, c, ...rest));
  return { hidden: norm(p.at('norm'), c, x), state };
}

/** One layer; with `rows`, what follows its attention is computed for these flat rows alone. */
function block(p: Scope, c: Gemma2Config, x: Value, attend: Attend, rows: Value | undefined): Value {
  const starts = decoderStarts(c);
  const [self, mlp] = [p.at('self_attn'), p.at('mlp')];
  const inward = (q: Scope, input: Value, width: number, bias: boolean) =>
    linear(q, input, width, { bias, init: starts.inward });
  const outward = (q: Scope, input: Value, fanIn: number, bias: boolean) =>
    linear(q, input, c.width, { bias, init: starts.outward(fanIn) });
  const normed = norm(p.at('input_layernorm'), c, x);
  const project = (states: Value) => ({
    key: inward(self.at('k_proj'), states, c.kvHeads * c.headSize, c.bias),
    value: inward(self.at('v_proj'), states, c.kvHeads * c.headSize, c.bias),
  });
  const query = inward(self.at('q_proj'), normed, c.heads * c.headSize, c.bias);
  const { key, value } = project(normed);
  const mixed = self.build(() => keptRows(attend(query, key, value, project), rows));
  const out = outward(self.at('o_proj'), mixed, c.heads * c.headSize, c.bias);
  const attended = p.build(() => add(keptRows(x, rows), norm(p.at('post_attention_layernorm'), c, out)));
  const inner = norm(p.at('pre_feedforward_layernorm'), c, attended);
  const gate = inward(mlp.at('gate_proj'), inner, c.innerWidth, false);
  const up = inward(mlp.at('up_proj'), inner, c.innerWidth, false);
  const gated = mlp.build(() => mul(c.activation(gate), up));
  const down = outward(mlp.at('down_proj'), gated, c.innerWidth, false);
  return p.build(() => add(attended, norm(p.at('post_feedforward_layernorm'), c, down)));
}

/** Root-mean-square normalisation whose weight counts from one. */
function norm(p: Scope, c: Gemma2Config, x: Value): Value {
  return p.build(() => rmsNorm(x, add(p.param('weight', [c.width], zerosInit), 1), c.normEpsilon));
}
