import { add, mul, type Value } from '../../graph/index.ts';
import { embedding, linear, normal, rmsNormAt, type Scope } from '../../nn/index.ts';
import { activations } from '../activations.ts';
import { type ConfigJson, ConfigReader, mostLayers } from '../config.ts';
import { llamaLayouts, llamaOriginalLayout } from '../weights/index.ts';
import { type Attend, attentionState, keptRows, throughBlocks } from './attention.ts';
import type { DecodeAsk, Decoder } from './decoder.ts';
import { tokenLogits } from './head.ts';
import { type Rope, readRope } from './rope.ts';
import { decoderStarts } from './starts.ts';
import { readQwenWindows, readWindows, type Windows } from './window.ts';

/** Decoders of the LLaMA family: LLaMA 1-3, Vicuna, Mistral, Qwen1.5 and Qwen2. */
interface LlamaConfig {
  readonly vocabSize: number;
  readonly width: number;
  readonly innerWidth: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly maxPositions: number;
  readonly normEpsilon: number;
  readonly rope: Rope;
  readonly windows: Windows;
  readonly tied: boolean;
  /** Bias on the query, key and value projections (Qwen). */
  readonly qkvBias: boolean;
  /** Bias on the output projection as well (LLaMA's `attention_bias`). */
  readonly outBias: boolean;
  readonly mlpBias: boolean;
  readonly activation: (x: Value) => Value;
  /** Standard deviation of the first weights of the head. */
  readonly initStd: number;
}

type Kind = 'llama' | 'mistral' | 'qwen2';

/** Reads a `config.json` of model type llama, mistral or qwen2. */
function llamaConfig(json: ConfigJson, where?: string): LlamaConfig {
  const c = new ConfigReader(json, where);
  const kind: Kind = c.choice('model_type', { llama: 'llama', mistral: 'mistral', qwen2: 'qwen2' }, 'llama');
  const heads = c.size('num_attention_heads', 32);
  const width = c.size('hidden_size', 4096);
  const attentionBias = c.flag('attention_bias', false);
  const headSize = 2 * c.half('head_dim', width / heads);
  const layers = c.size('num_hidden_layers', 32, mostLayers);
  const rope = readRope(c, headSize, { theta: 10000, positions: 2048 });
  return {
    vocabSize: c.size('vocab_size', 32000),
    width,
    innerWidth: c.size('intermediate_size', 11008),
    layers,
    heads,
    kvHeads: c.divisor('num_key_value_heads', heads, heads),
    headSize,
    maxPositions: rope.maxPositions,
    normEpsilon: c.positive('rms_norm_eps', 1e-6),
    rope,
    windows: windowsOf(c, kind, layers, rope.maxPositions),
    tied: c.flag('tie_word_embeddings', false),
    qkvBias: kind === 'qwen2' || attentionBias,
    outBias: kind !== 'qwen2' && attentionBias,
    mlpBias: c.flag('mlp_bias', false),
    activation: c.choice('hidden_act', activations, 'silu'),
    initStd: c.positive('initializer_range', 0.02),
  };
}

function windowsOf(c: ConfigReader, kind: Kind, layers: number, maxPositions: number): Windows {
  if (kind === 'qwen2') return readQwenWindows(c, layers, maxPositions);
  const fallback = kind === 'mistral' ? 4096 : undefined;
  const windows = readWindows(c, { layers, maxPositions, slides: () => true, fallback });
  if (kind === 'mistral' || windows.every((window) => window === undefined)) return windows;
  throw c.fault('sliding_window', 'none: LLaMA sees the whole text; a model with a window is of type mistral');
}

/** The decoder that a `config.json` of the family describes. */
export function llama(json: ConfigJson, where?: string): Decoder {
  const c = llamaConfig(json, where);
  const starts = decoderStarts(c);
  return {
    vocabSize: c.vocabSize,
    width: c.width,
    maxPositions: c.maxPositions,
    layers: c.layers,
    heads: { query: c.heads, key: c.kvHeads, size: c.headSize },
    state: attentionState(c),
    embed: (p, ids) => embedding(p.at('model.embed_tokens'), ids, c.vocabSize, c.width, starts.embedding),
    decode: (p, embeds, ask) => decode(p.at('model'), c, embeds, ask),
    head: (p, hidden) =>
      tokenLogits(p, hidden, {
        ...c,
        table: 'model.embed_tokens',
        embedding: starts.embedding,
        init: normal(c.initStd),
      }),
    linears: { blocks: ['model.layers'], head: 'lm_head' },
    layouts: layoutsOf(c),
    tied: { 'lm_head.weight': 'model.embed_tokens.weight' },
  };
}

/** Meta's own names are those of models whose heads turn as a whole. */
function layoutsOf({ layers, headSize, rope }: LlamaConfig): Decoder['layouts'] {
  const whole = rope.frequencies.length === headSize / 2;
  return whole ? [...llamaLayouts, llamaOriginalLayout(layers, headSize)] : llamaLayouts;
}

function decode(p: Scope, c: LlamaConfig, embeds: Value, ask: DecodeAsk = {}) {
  const { x, state } = throughBlocks(p, c, embeds, ask, (place, ...rest) => block(place, c, ...rest));
  return { hidden: rmsNormAt(p.at('norm'), x, c.normEpsilon), state };
}

/** One layer; with `rows`, what follows its attention is computed for these flat rows alone. */
function block(p: Scope, c: LlamaConfig, x: Value, attend: Attend, rows: Value | undefined): Value {
  const starts = decoderStarts(c);
  const inward = (q: Scope, input: Value, width: number, bias: boolean) =>
    linear(q, input, width, { bias, init: starts.inward });
  const outward = (q: Scope, input: Value, fanIn: number, bias: boolean) =>
    linear(q, input, c.width, { bias, init: starts.outward(fanIn) });
  const self = p.at('self_attn');
  const normed = rmsNormAt(p.at('input_layernorm'), x, c.normEpsilon);
  const project = (states: Value) => ({
    key: inward(self.at('k_proj'), states, c.kvHeads * c.headSize, c.qkvBias),
    value: inward(self.at('v_proj'), states, c.kvHeads * c.headSize, c.qkvBias),
  });
  const query = inward(self.at('q_proj'), normed, c.heads * c.headSize, c.qkvBias);
  const { key, value } = project(normed);
  const mixed = self.build(() => keptRows(attend(query, key, value, project), rows));
  const attended = p.build(() =>
    add(keptRows(x, rows), outward(self.at('o_proj'), mixed, c.heads * c.headSize, c.outBias)),
  );
  const mlp = p.at('mlp');
  const inner = rmsNormAt(p.at('post_attention_layernorm'), attended, c.normEpsilon);
  const gate = inward(mlp.at('gate_proj'), inner, c.innerWidth, c.mlpBias);
  const up = inward(mlp.at('up_proj'), inner, c.innerWidth, c.mlpBias);
  const gated = mlp.build(() => mul(c.activation(gate), up));
  return p.build(() => add(attended, outward(mlp.at('down_proj'), gated, c.innerWidth, c.mlpBias)));
}
