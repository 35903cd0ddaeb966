import type { Dim } from '../../base/index.ts';
import { add, gather, type Value } from '../../graph/index.ts';
import { embedding, layerNormAt, linear, normal, type Scope } from '../../nn/index.ts';
import { activations } from '../activations.ts';
import { type ConfigJson, ConfigReader, mostLayers } from '../config.ts';
import type { Layout } from '../weights/index.ts';
import { type Attend, attentionState, keptRows, throughBlocks, tokenPositions } from './attention.ts';
import type { DecodeAsk, Decoder } from './decoder.ts';
import { tokenLogits } from './head.ts';
import { decoderStarts } from './starts.ts';

type OptConfig = ReturnType<typeof optConfig>;

/** Rows of the table of positions that no text reads. */
const OFFSET = 2;
const NORM_EPSILON = 1e-5;

function optConfig(json: ConfigJson, where?: string) {
  const c = new ConfigReader(json, where);
  const width = c.size('hidden_size', 768);
  const heads = c.divisor('num_attention_heads', width, 12);
  const layers = c.size('num_hidden_layers', 12, mostLayers);
  const before = c.flag('do_layer_norm_before', true);
  c.require('layer_norm_elementwise_affine', [true]);
  return {
    vocabSize: c.size('vocab_size', 50272),
    width,
    innerWidth: c.size('ffn_dim', 3072),
    /** Of the embeddings and of the states that the head reads. */
    wordWidth: c.size('word_embed_proj_dim', width),
    layers,
    heads,
    kvHeads: heads,
    headSize: width / heads,
    maxPositions: c.size('max_position_embeddings', 2048),
    windows: Array<undefined>(layers).fill(undefined),
    /** Norms in front of each half of a block; behind it in OPT-350M. */
    before,
    finalNorm: before && !c.flag('_remove_final_layer_norm', false),
    bias: c.flag('enable_bias', true),
    tied: c.flag('tie_word_embeddings', true),
    activation: c.choice('activation_function', activations, 'relu'),
    initStd: c.positive('init_std', 0.02),
  };
}

/** OPT: the names of `OPTForCausalLM`, or of `OPTModel`, which the published files have. */
const optLayouts: readonly Layout[] = [
  {
    name: 'opt',
    rules: [
      ['model.', 'model.'],
      ['lm_head.', 'lm_head.'],
    ],
  },
  {
    name: 'opt-base',
    rules: [
      ['decoder.', 'model.decoder.'],
      ['lm_head.', 'lm_head.'],
    ],
  },
];

/** OPT (Zhang et al. 2022): learned positions, biases, one inner layer with ReLU. */
export function opt(json: ConfigJson, where?: string): Decoder {
  const c = optConfig(json, where);
  const { embedding: start } = decoderStarts(c);
  return {
    vocabSize: c.vocabSize,
    width: c.wordWidth,
    maxPositions: c.maxPositions,
    layers: c.layers,
    heads: { query: c.heads, key: c.kvHeads, size: c.headSize },
    state: attentionState(c),
    embed: (p, ids) => embedding(p.at('model.decoder.embed_tokens'), ids, c.vocabSize, c.wordWidth, start),
    decode: (p, embeds, ask) => decode(p.at('model.decoder'), c, embeds, ask),
    head: (p, hidden) =>
      tokenLogits(p, hidden, { ...c, table: 'model.decoder.embed_tokens', embedding: start, init: normal(c.initStd) }),
    linears: { blocks: ['model.decoder.layers'], head: 'lm_head' },
    layouts: optLayouts,
    tied: { 'lm_head.weight': 'model.decoder.embed_tokens.weight' },
  };
}

function decode(p: Scope, c: OptConfig, embeds: Value, ask: DecodeAsk = {}) {
  const [b, t] = embeds.shape as [Dim, Dim, Dim];
  const projected = c.wordWidth !== c.width;
  const words = projected ? linear(p.at('project_in'), embeds, c.width, { bias: false }) : embeds;
  const placed = p.build(() => add(words, positionRows(p, c, tokenPositions(p, [b, t], ask.state))));
  const { x, state } = throughBlocks(p, c, placed, ask, (place, ...rest) => block(place, c, ...rest));
  const final = c.finalNorm ? layerNormAt(p.at('final_layer_norm'), x, NORM_EPSILON) : x;
  const hidden = projected ? linear(p.at('project_out'), final, c.wordWidth, { bias: false }) : final;
  return { hidden, state };
}

function positionRows(p: Scope, c: OptConfig, positions: Value): Value {
  const place = p.at('embed_positions');
  const table = place.param('weight', [c.maxPositions + OFFSET, c.width], normal(c.initStd));
  return place.build(() => gather(table, add(positions, OFFSET)));
}

/** One layer; with `rows`, what follows its attention is computed for these flat rows alone. */
function block(p: Scope, c: OptConfig, x: Value, attend: Attend, rows: Value | undefined): Value {
  const starts = decoderStarts(c);
  const self = p.at('self_attn');
  const inward = (q: Scope, input: Value, width: number) =>
    linear(q, input, width, { bias: c.bias, init: starts.inward });
  const outward = (q: Scope, input: Value, fanIn: number) =>
    linear(q, input, c.width, { bias: c.bias, init: starts.outward(fanIn) });
  const normIf = (on: boolean, name: string, states: Value) =>
    on ? layerNormAt(p.at(name), states, NORM_EPSILON) : states;
  const normed = normIf(c.before, 'self_attn_layer_norm', x);
  const project = (states: Value) => ({
    key: inward(self.at('k_proj'), states, c.width),
    value: inward(self.at('v_proj'), states, c.width),
  });
  const query = inward(self.at('q_proj'), normed, c.width);
  const { key, value } = project(normed);
  const mixed = self.build(() => keptRows(attend(query, key, value, project), rows));
  const summed = p.build(() => add(keptRows(x, rows), outward(self.at('out_proj'), mixed, c.width)));
  const attended = normIf(!c.before, 'self_attn_layer_norm', summed);
  const inner = inward(p.at('fc1'), normIf(c.before, 'final_layer_norm', attended), c.innerWidth);
  const active = p.build(() => c.activation(inner));
  const out = p.build(() => add(attended, outward(p.at('fc2'), active, c.innerWidth)));
  return normIf(!c.before, 'final_layer_norm', out);
}
