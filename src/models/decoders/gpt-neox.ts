import type { Dim } from '../../base/index.ts';
import { add, reshape, split, type Value } from '../../graph/index.ts';
import { embedding, layerNormAt, linear, normal, type Scope } from '../../nn/index.ts';
import { activations } from '../activations.ts';
import { type ConfigJson, ConfigReader, mostLayers } from '../config.ts';
import type { Layout } from '../weights/index.ts';
import { type Attend, attentionState, keptRows, throughBlocks } from './attention.ts';
import type { DecodeAsk, Decoder } from './decoder.ts';
import { tokenLogits } from './head.ts';
import { readRope } from './rope.ts';
import { decoderStarts } from './starts.ts';

type NeoxConfig = ReturnType<typeof neoxConfig>;

function neoxConfig(json: ConfigJson, where?: string) {
  // Its files have names of their own for what turns.
  const turning = { rope_theta: json.rotary_emb_base ?? 10000, partial_rotary_factor: json.rotary_pct ?? 0.25 };
  const c = new ConfigReader({ ...turning, ...json }, where);
  const width = c.size('hidden_size', 6144);
  const heads = c.divisor('num_attention_heads', width, 64);
  const headSize = width / heads;
  const layers = c.size('num_hidden_layers', 44, mostLayers);
  const rope = readRope(c, headSize, { theta: 10000, positions: 2048 });
  return {
    vocabSize: c.size('vocab_size', 50432),
    width,
    innerWidth: c.size('intermediate_size', 24576),
    layers,
    heads,
    kvHeads: heads,
    headSize,
    maxPositions: rope.maxPositions,
    rope,
    windows: Array<undefined>(layers).fill(undefined),
    normEpsilon: c.positive('layer_norm_eps', 1e-5),
    tied: c.flag('tie_word_embeddings', false),
    /** Both halves of a block read what the block reads. */
    parallel: c.flag('use_parallel_residual', true),
    bias: c.flag('attention_bias', true),
    activation: c.choice('hidden_act', activations, 'gelu'),
    initStd: c.positive('initializer_range', 0.02),
  };
}

/** GPT-NeoX. Earlier files hold the mask of its attention, and what is not masked, as tensors. */
function layoutsOf(layers: number): readonly Layout[] {
  const masks = [...Array(layers).keys()].flatMap((i) =>
    ['bias', 'masked_bias'].map((name) => `gpt_neox.layers.${i}.attention.${name}`),
  );
  return [
    {
      name: 'gpt-neox',
      rules: [
        ['gpt_neox.', 'gpt_neox.'],
        ['embed_out.', 'embed_out.'],
      ],
      skip: masks,
    },
  ];
}

/** GPT-NeoX, Pythia and RedPajama-INCITE (Black et al. 2022): queries, keys and values of each head side by side. */
export function gptNeox(json: ConfigJson, where?: string): Decoder {
  const c = neoxConfig(json, where);
  const { embedding: start } = decoderStarts(c);
  const [table, own] = ['gpt_neox.embed_in', 'embed_out'];
  return {
    vocabSize: c.vocabSize,
    width: c.width,
    maxPositions: c.maxPositions,
    layers: c.layers,
    heads: { query: c.heads, key: c.kvHeads, size: c.headSize },
    state: attentionState(c),
    embed: (p, ids) => embedding(p.at(table), ids, c.vocabSize, c.width, start),
    decode: (p, embeds, ask) => decode(p.at('gpt_neox'), c, embeds, ask),
    head: (p, hidden) => tokenLogits(p, hidden, { ...c, table, own, embedding: start, init: normal(c.initStd) }),
    linears: { blocks: ['gpt_neox.layers'], head: own },
    layouts: layoutsOf(c.layers),
    tied: { [`${own}.weight`]: `${table}.weight` },
  };
}

function decode(p: Scope, c: NeoxConfig, embeds: Value, ask: DecodeAsk = {}) {
  const { x, state } = throughBlocks(p, c, embeds, ask, (place, ...rest) => block(place, c, ...rest));
  return { hidden: layerNormAt(p.at('final_layer_norm'), x, c.normEpsilon), state };
}

/** One layer; with `rows`, what follows its attention is computed for these flat rows alone. */
function block(p: Scope, c: NeoxConfig, x: Value, attend: Attend, rows: Value | undefined): Value {
  const starts = decoderStarts(c);
  const [self, mlp] = [p.at('attention'), p.at('mlp')];
  const project = (states: Value) => {
    const { bias } = c;
    const fused = linear(self.at('query_key_value'), states, 3 * c.width, { bias, init: starts.inward });
    return self.build(() => perHead(fused, c));
  };
  const { query, key, value } = project(layerNormAt(p.at('input_layernorm'), x, c.normEpsilon));
  const mixed = self.build(() => keptRows(attend(query, key, value, project), rows));
  const kept = p.build(() => keptRows(x, rows));
  const looked = linear(self.at('dense'), mixed, c.width, { bias: c.bias, init: starts.outward(c.width) });
  const attended = p.build(() => add(kept, looked));
  const normed = layerNormAt(p.at('post_attention_layernorm'), c.parallel ? kept : attended, c.normEpsilon);
  const inner = linear(mlp.at('dense_h_to_4h'), normed, c.innerWidth, { init: starts.inward });
  const active = mlp.build(() => c.activation(inner));
  return p.build(() =>
    add(attended, linear(mlp.at('dense_4h_to_h'), active, c.width, { init: starts.outward(c.innerWidth) })),
  );
}

/** `[B, T, heads*3d]`, whose heads hold queries, keys and values one after another, as three of `[B, T, heads*d]`. */
function perHead(fused: Value, { heads, headSize, width }: NeoxConfig) {
  const [b, t] = fused.shape as [Dim, Dim, number];
  const parts = split(reshape(fused, [b, t, heads, 3 * headSize]), 3, [headSize, headSize, headSize]);
  const [query, key, value] = parts.map((part) => reshape(part, [b, t, width])) as [Value, Value, Value];
  return { query, key, value };
}
