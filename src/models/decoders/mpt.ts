import { add, gelu, maximum, minimum, split, type Value } from '../../graph/index.ts';
import { embedding, layerNormAt, linear, normal, type Scope } from '../../nn/index.ts';
import { type ConfigJson, ConfigReader, mostLayers } from '../config.ts';
import type { Layout } from '../weights/index.ts';
import { type Attend, attentionState, keptRows, throughBlocks } from './attention.ts';
import type { DecodeAsk, Decoder } from './decoder.ts';
import { tokenLogits } from './head.ts';
import { decoderStarts } from './starts.ts';

type MptConfig = ReturnType<typeof mptConfig>;

/** Inner width of the feed-forward layers, in widths. */
const MULTIPLE = 4;

function mptConfig(json: ConfigJson, where?: string) {
  const c = new ConfigReader(json, where);
  const attention = json.attn_config == null ? new ConfigReader({}, c.where) : c.part('attn_config');
  const width = c.size('d_model', 2048);
  const heads = c.divisor('n_heads', width, 16);
  const layers = c.size('n_layers', 24, mostLayers);
  c.require('no_bias', [true]);
  c.require('expansion_ratio', [MULTIPLE]);
  c.require('logit_scale', [null]);
  attention.require('attn_type', ['multihead_attention']);
  attention.require('alibi', [true]);
  attention.require('alibi_bias_max', [8]);
  attention.require('prefix_lm', [false]);
  attention.require('qk_ln', [false]);
  attention.require('attn_uses_sequence_id', [false]);
  return {
    vocabSize: c.size('vocab_size', 50368),
    width,
    innerWidth: MULTIPLE * width,
    layers,
    heads,
    kvHeads: heads,
    headSize: width / heads,
    maxPositions: c.size('max_seq_len', 2048),
    alibi: true,
    blocks: 'blocks',
    windows: Array<undefined>(layers).fill(undefined),
    normEpsilon: c.positive('layer_norm_epsilon', 1e-5),
    tied: c.flag('tie_word_embeddings', true),
    /** Queries, keys and values are cut off beyond it. */
    clip: attention.json.clip_qkv == null ? undefined : attention.positive('clip_qkv'),
    scale: attention.json.softmax_scale == null ? undefined : attention.positive('softmax_scale'),
    initStd: c.positive('initializer_range', 0.02),
  };
}

const mptLayouts: readonly Layout[] = [
  {
    name: 'mpt',
    rules: [
      ['transformer.', 'transformer.'],
      ['lm_head.', 'lm_head.'],
    ],
  },
];

/** MPT (MosaicML 2023): no biases, and linear biases of attention in the place of positions. */
export function mpt(json: ConfigJson, where?: string): Decoder {
  const c = mptConfig(json, where);
  const { embedding: start } = decoderStarts(c);
  return {
    vocabSize: c.vocabSize,
    width: c.width,
    maxPositions: c.maxPositions,
    layers: c.layers,
    heads: { query: c.heads, key: c.kvHeads, size: c.headSize },
    state: attentionState(c),
    embed: (p, ids) => embedding(p.at('transformer.wte'), ids, c.vocabSize, c.width, start),
    decode: (p, embeds, ask) => decode(p.at('transformer'), c, embeds, ask),
    head: (p, hidden) =>
      tokenLogits(p, hidden, { ...c, table: 'transformer.wte', embedding: start, init: normal(c.initStd) }),
    linears: { blocks: ['transformer.blocks'], head: 'lm_head' },
    layouts: mptLayouts,
    tied: { 'lm_head.weight': 'transformer.wte.weight' },
  };
}

function decode(p: Scope, c: MptConfig, embeds: Value, ask: DecodeAsk = {}) {
  const { x, state } = throughBlocks(p, c, embeds, ask, (place, ...rest) => block(place, c, ...rest));
  return { hidden: layerNormAt(p.at('norm_f'), x, c.normEpsilon, { bias: false }), state };
}

/** One layer; with `rows`, what follows its attention is computed for these flat rows alone. */
function block(p: Scope, c: MptConfig, x: Value, attend: Attend, rows: Value | undefined): Value {
  const starts = decoderStarts(c);
  const [self, mlp] = [p.at('attn'), p.at('ffn')];
  const outward = (q: Scope, input: Value, fanIn: number) =>
    linear(q, input, c.width, { bias: false, init: starts.outward(fanIn) });
  const project = (states: Value) => {
    const fused = linear(self.at('Wqkv'), states, 3 * c.width, { bias: false, init: starts.inward });
    const [query, key, value] = self.build(() => split(clipped(fused, c.clip), -1, [c.width, c.width, c.width])) as [
      Value,
      Value,
      Value,
    ];
    return { query, key, value };
  };
  const { query, key, value } = project(layerNormAt(p.at('norm_1'), x, c.normEpsilon, { bias: false }));
  const mixed = self.build(() => keptRows(attend(query, key, value, project), rows));
  const attended = p.build(() => add(keptRows(x, rows), outward(self.at('out_proj'), mixed, c.width)));
  const normed = layerNormAt(p.at('norm_2'), attended, c.normEpsilon, { bias: false });
  const inner = linear(mlp.at('up_proj'), normed, c.innerWidth, { bias: false, init: starts.inward });
  const active = mlp.build(() => gelu(inner));
  return p.build(() => add(attended, outward(mlp.at('down_proj'), active, c.innerWidth)));
}

function clipped(x: Value, limit: number | undefined): Value {
  return limit === undefined ? x : minimum(maximum(x, -limit), limit);
}
