import type { Dim } from '../../base/index.ts';
import { add, matmul, mul, reshape, rotary, takeRows, type Value } from '../../graph/index.ts';
import {
  attention,
  causalBlocks,
  embedding,
  type Init,
  linear,
  normal,
  rmsNormAt,
  rotaryTables,
  rowPositions,
  type Scope,
} from '../../nn/index.ts';
import { activations } from '../activations.ts';
import type { ConfigJson } from '../config.ts';
import { ConfigReader, mostLayers } from '../config.ts';
import { attendCached, type CacheInputs, type CacheOutputs, type CacheShape, cachedHeadSize } from './cache.ts';

/** Decoders of the LLaMA family: LLaMA 1-3, Vicuna, Mistral without a window, Qwen1.5 and Qwen2. */
export interface LlamaConfig {
  readonly vocabSize: number;
  readonly width: number;
  readonly innerWidth: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly maxPositions: number;
  readonly normEpsilon: number;
  readonly ropeTheta: number;
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

/** Largest rotary table, positions times head size; those of a million positions fit. */
const largestTable = 2 ** 27;

/**
 * First weights of a decoder that is trained from nothing. Matrices keep the variance of what they read, and the
 * embedding and the 2L layer outputs share the residual stream in equal parts, so that a narrow model tells tokens apart
 * from the first step; one deviation of 0.02 for all, made for widths in the thousands, leaves its attention flat.
 */
const starts = {
  embedding: (c: LlamaConfig): Init => normal(1 / Math.sqrt(2 * c.layers)),
  inward: (c: LlamaConfig): Init => normal(1 / Math.sqrt(c.width)),
  outward: (c: LlamaConfig, fanIn: number): Init => normal(1 / Math.sqrt(2 * c.layers * fanIn)),
};

/** Blocks of the causal attention: at most 6, of 64 positions or more in the longest text. Short texts gain nothing by them. */
function blockCount({ maxPositions }: LlamaConfig): number {
  return maxPositions < 256 ? 1 : Math.min(6, Math.floor(maxPositions / 64));
}

/** Reads a `config.json` of model type llama, mistral or qwen2. */
export function llamaConfig(json: ConfigJson, where?: string): LlamaConfig {
  const c = new ConfigReader(json, where);
  const kind = c.choice('model_type', { llama: 'llama', mistral: 'mistral', qwen2: 'qwen2' } as const, 'llama');
  for (const key of ['rope_scaling', 'sliding_window']) if (json[key] !== null) c.require(key, []);
  if (json.use_sliding_window !== undefined) c.require('use_sliding_window', [false]);
  const heads = c.size('num_attention_heads', 32);
  const width = c.size('hidden_size', 4096);
  // transformers 5 nests the base under rope_parameters; earlier files have it at the top.
  const rope = json.rope_parameters ? c.part('rope_parameters') : undefined;
  rope?.require('rope_type', ['default']);
  const attentionBias = c.flag('attention_bias', false);
  const headSize = 2 * c.half('head_dim', width / heads);
  return {
    vocabSize: c.size('vocab_size', 32000),
    width,
    innerWidth: c.size('intermediate_size', 11008),
    layers: c.size('num_hidden_layers', 32, mostLayers),
    heads,
    kvHeads: c.divisor('num_key_value_heads', heads, heads),
    headSize,
    maxPositions: c.size('max_position_embeddings', 2048, Math.floor(largestTable / headSize)),
    normEpsilon: c.positive('rms_norm_eps', 1e-6),
    ropeTheta: (rope ?? c).positive('rope_theta', 10000),
    tied: c.flag('tie_word_embeddings', false),
    qkvBias: kind === 'qwen2' || attentionBias,
    outBias: kind !== 'qwen2' && attentionBias,
    mlpBias: c.flag('mlp_bias', false),
    activation: c.choice('hidden_act', activations, 'silu'),
    initStd: c.positive('initializer_range', 0.02),
  };
}

/** The shape of the cache of one layer's keys or values for one row. */
export function llamaCache(c: LlamaConfig): CacheShape {
  return { layers: c.layers, kvHeads: c.kvHeads, headSize: cachedHeadSize(c.headSize) };
}

/** Token embeddings `[B, T, D]`; `p` is the place of `model`. */
export function llamaEmbed(p: Scope, c: LlamaConfig, ids: Value): Value {
  return embedding(p.at('embed_tokens'), ids, c.vocabSize, c.width, starts.embedding(c));
}

/**
 * Hidden states after the final norm from embeddings `[B, T, D]`: of all tokens in the same shape, or `[K, D]` of the flat
 * `rows` alone, none of which repeats. `p` is the place of `model`.
 */
export function llamaDecode(
  p: Scope,
  c: LlamaConfig,
  embeds: Value,
  { rows, cache }: { readonly rows?: Value | undefined; readonly cache?: CacheInputs | undefined } = {},
): { hidden: Value; cache: CacheOutputs } {
  const { graph } = p;
  const [b, t] = embeds.shape as [Dim, Dim, Dim];
  const shared = p.build(() => ({
    ...rotaryTables(graph, c.maxPositions, c.headSize, c.ropeTheta),
    blocks: causalBlocks(graph, t, blockCount(c)),
    positions: rowPositions(graph, b, t),
  }));
  const keys: Value[] = [];
  const values: Value[] = [];
  const attend = (layer: number, q: Value, k: Value, v: Value): Value => {
    if (!cache) {
      const [query, key] = [
        rotary(q, shared.positions, shared.cos, shared.sin, c.heads),
        rotary(k, shared.positions, shared.cos, shared.sin, c.kvHeads),
      ];
      return attention(query, key, v, { heads: c.heads, kvHeads: c.kvHeads, blocks: shared.blocks });
    }
    const { out, key, value } = attendCached({ query: q, key: k, value: v, ...shared }, cache, layer, c);
    keys.push(key);
    values.push(value);
    return out;
  };
  let x = embeds;
  for (let i = 0; i < c.layers; i++) {
    // Nobody reads the last block's other rows once its keys and values are made.
    const kept = i === c.layers - 1 ? rows : undefined;
    x = graph.segment(() => block(p.at('layers').at(i), c, x, (q, k, v) => attend(i, q, k, v), kept));
  }
  return { hidden: rmsNormAt(p.at('norm'), x, c.normEpsilon), cache: { keys, values } };
}

/** One layer; with `rows`, what follows its attention is computed for these flat rows alone. */
function block(
  p: Scope,
  c: LlamaConfig,
  x: Value,
  attend: (q: Value, k: Value, v: Value) => Value,
  rows: Value | undefined,
): Value {
  const inward = (q: Scope, input: Value, width: number, bias: boolean) =>
    linear(q, input, width, { bias, init: starts.inward(c) });
  const outward = (q: Scope, input: Value, fanIn: number, bias: boolean) =>
    linear(q, input, c.width, { bias, init: starts.outward(c, fanIn) });
  const self = p.at('self_attn');
  const normed = rmsNormAt(p.at('input_layernorm'), x, c.normEpsilon);
  const q = inward(self.at('q_proj'), normed, c.heads * c.headSize, c.qkvBias);
  const k = inward(self.at('k_proj'), normed, c.kvHeads * c.headSize, c.qkvBias);
  const v = inward(self.at('v_proj'), normed, c.kvHeads * c.headSize, c.qkvBias);
  const kept = (states: Value) => (rows ? takeRows(reshape(states, [-1, states.shape.at(-1) as Dim]), rows) : states);
  const mixed = self.build(() => kept(attend(q, k, v)));
  const attended = p.build(() => add(kept(x), outward(self.at('o_proj'), mixed, c.heads * c.headSize, c.outBias)));
  const mlp = p.at('mlp');
  const inner = rmsNormAt(p.at('post_attention_layernorm'), attended, c.normEpsilon);
  const gate = inward(mlp.at('gate_proj'), inner, c.innerWidth, c.mlpBias);
  const up = inward(mlp.at('up_proj'), inner, c.innerWidth, c.mlpBias);
  const gated = mlp.build(() => mul(c.activation(gate), up));
  return p.build(() => add(attended, outward(mlp.at('down_proj'), gated, c.innerWidth, c.mlpBias)));
}

/** Logits `[.., V]` of hidden states; `p` holds `model` and `lm_head`. */
export function llamaHead(p: Scope, c: LlamaConfig, hidden: Value): Value {
  if (!c.tied) return linear(p.at('lm_head'), hidden, c.vocabSize, { bias: false, init: normal(c.initStd) });
  return p.at('lm_head').build(() => tiedLogits(p, c, hidden));
}

function tiedLogits(p: Scope, c: LlamaConfig, hidden: Value): Value {
  const table = p.at('model.embed_tokens').param('weight', [c.vocabSize, c.width], starts.embedding(c));
  return matmul(hidden, table, { transB: true });
}
