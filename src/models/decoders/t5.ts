import { type Dim, type Named, type Shape, TesseraError } from '../../base/index.ts';
import {
  add,
  cast,
  fill,
  iota,
  less,
  mul,
  reshape,
  scatterRows,
  sizeScalar,
  transpose,
  type Value,
  where,
} from '../../graph/index.ts';
import { attention, causalBias, embedding, keyBias, linear, normal, rmsNormAt, type Scope } from '../../nn/index.ts';
import { activations } from '../activations.ts';
import { type ConfigJson, ConfigReader, mostLayers } from '../config.ts';
import type { Layout } from '../weights/index.ts';
import { keptRows, tokenPositions } from './attention.ts';
import type { DecodeAsk, Decoder, DecoderState, KeyValue, LayerAttention } from './decoder.ts';
import { tokenLogits } from './head.ts';
import { type RelativeBias, relativeBias } from './relative.ts';

type T5Config = ReturnType<typeof t5Config>;

function t5Config(json: ConfigJson, where?: string) {
  const c = new ConfigReader(json, where);
  const layers = c.size('num_layers', 6, mostLayers);
  const projection = typeof json.feed_forward_proj === 'string' ? json.feed_forward_proj : 'relu';
  const [act] = projection.split('-').slice(-1);
  const named = json.dense_act_fn ?? (projection === 'gated-gelu' ? 'gelu_new' : act);
  const plain = c.flag('tie_word_embeddings', true);
  return {
    vocabSize: c.size('vocab_size', 32128),
    width: c.size('d_model', 512),
    innerWidth: c.size('d_ff', 2048),
    layers,
    decoderLayers: c.size('num_decoder_layers', layers, mostLayers),
    heads: c.size('num_heads', 8),
    headSize: c.size('d_kv', 64),
    /** Relative positions know no end; this is the length that the published models were trained with. */
    maxPositions: c.size('n_positions', 512),
    buckets: 2 * c.half('relative_attention_num_buckets', 32),
    maxDistance: c.size('relative_attention_max_distance', 128, 2 ** 20),
    normEpsilon: c.positive('layer_norm_epsilon', 1e-6),
    gated: projection.startsWith('gated-'),
    activation: new ConfigReader({ feed_forward_proj: named }, c.where).choice('feed_forward_proj', activations),
    tied: plain,
    /** The first T5 scales the states that its head reads, those of version 1.1 with a head of their own do not. */
    scaled: c.flag('scale_decoder_outputs', plain),
    start: c.integer('decoder_start_token_id', 0, 2 ** 24, c.integer('pad_token_id', 0, 2 ** 24, 0)),
    factor: c.positive('initializer_factor', 1),
  };
}

/** T5: the names of `T5ForConditionalGeneration`. The first files hold a table that no block reads. */
const t5Layouts: readonly Layout[] = [
  {
    name: 't5',
    rules: ['shared.', 'encoder.', 'decoder.', 'lm_head.'].map((prefix) => [prefix, prefix] as const),
    skip: ['decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.'],
  },
];

/** T5, T5 1.1 and FLAN-T5 (Raffel et al. 2020): an encoder that reads the source, and a decoder that looks at it. */
export function t5(json: ConfigJson, where?: string): Decoder {
  const c = t5Config(json, where);
  const start = normal(c.factor);
  return {
    vocabSize: c.vocabSize,
    width: c.width,
    maxPositions: c.maxPositions,
    layers: c.decoderLayers,
    heads: { query: c.heads, key: c.heads, size: c.headSize },
    state: layerShapes(c, 'C', ['key', 'value']),
    embed: (p, ids) => embedding(p.at('shared'), ids, c.vocabSize, c.width, start),
    source: {
      start: c.start,
      state: { ...layerShapes(c, 'S', ['cross.key', 'cross.value']), 'cross.seen': ['B', 'S'] },
      read: (p, embeds, lengths) => readSource(p, c, embeds, lengths),
    },
    decode: (p, embeds, ask) => decode(p.at('decoder'), c, embeds, ask),
    head(p, hidden) {
      const states = c.scaled ? mul(hidden, 1 / Math.sqrt(c.width)) : hidden;
      return tokenLogits(p, states, { ...c, table: 'shared', embedding: start, init: start });
    },
    linears: { blocks: ['encoder.block', 'decoder.block'], head: 'lm_head' },
    layouts: t5Layouts,
    tied: {
      'encoder.embed_tokens.weight': 'shared.weight',
      'decoder.embed_tokens.weight': 'shared.weight',
      'lm_head.weight': 'shared.weight',
    },
  };
}

function layerShapes(c: T5Config, length: Dim, parts: readonly string[]): Named<Shape> {
  const layers = [...Array(c.decoderLayers).keys()];
  const shape = ['B', length, c.heads * c.headSize];
  return Object.fromEntries(layers.flatMap((layer) => parts.map((part) => [`${part}.${layer}`, shape])));
}

/** What the decoder keeps of a source `[B, S, D]`, of whose rows `lengths` tokens count. */
function readSource(p: Scope, c: T5Config, embeds: Value, lengths: Value): Named<Value> {
  const { graph } = p;
  const [b, s] = embeds.shape as [Dim, Dim, Dim];
  const encoder = p.at('encoder');
  const places = reshape(iota(graph, s), [1, s]);
  const inText = less(places, reshape(cast(lengths, 'int64'), [b, 1]));
  const seen = where(inText, fill(graph, [], 'float32', 1), 0);
  const bias = add(biasOverText(encoder, biasPlan(c, true), s), keyBias(seen));
  let x = embeds;
  for (let i = 0; i < c.layers; i++) {
    const place = encoder.at('block').at(i);
    const read = x;
    x = graph.segment(() => {
      const attended = selfPart(place.at('layer.0'), c, read, (q, k, v) => mixed(c, q, k, v, bias));
      return inner(place.at('layer.1'), c, attended);
    });
  }
  const states = rmsNormAt(encoder.at('final_layer_norm'), x, c.normEpsilon);
  const kept: Record<string, Value> = { 'cross.seen': seen };
  for (let i = 0; i < c.decoderLayers; i++) {
    const cross = p.at('decoder.block').at(i).at('layer.1.EncDecAttention');
    kept[`cross.key.${i}`] = inward(cross.at('k'), c, states, c.heads * c.headSize);
    kept[`cross.value.${i}`] = inward(cross.at('v'), c, states, c.heads * c.headSize);
  }
  return kept;
}

function decode(p: Scope, c: T5Config, embeds: Value, { rows, state, source, around }: DecodeAsk = {}) {
  if (!source) throw noSource();
  const [b, t] = embeds.shape as [Dim, Dim, Dim];
  const after: Record<string, Value> = {};
  const plan = biasPlan(c, false);
  const positions = tokenPositions(p, [b, t], state);
  const bias = state ? biasOverState(p, plan, positions, state) : add(biasOverText(p, plan, t), causalBias(p.graph, t));
  const crossBias = keyBias(source['cross.seen'] as Value);
  const extended = (name: string, fresh: Value) => {
    if (!state) return fresh;
    const whole = appended(state.values[name] as Value, fresh, positions);
    after[name] = whole;
    return whole;
  };
  let x = embeds;
  for (let i = 0; i < c.decoderLayers; i++) {
    const place = p.at('block').at(i);
    const read = around?.before?.(i, x) ?? x;
    const kept = i === c.decoderLayers - 1 ? rows : undefined;
    x = p.graph.segment(() => {
      const attended = selfPart(place.at('layer.0'), c, read, (q, k, v, project) => {
        const own = mixed(c, q, extended(`key.${i}`, k), extended(`value.${i}`, v), bias);
        const look = (seen: KeyValue) => attention(q, seen.key, seen.value, { heads: c.heads, scale: 1 });
        const beside = around?.beside?.(i, { project, look });
        return beside ? add(own, beside) : own;
      });
      const looked = crossPart(place.at('layer.1'), c, attended, (q) =>
        mixed(c, q, source[`cross.key.${i}`] as Value, source[`cross.value.${i}`] as Value, crossBias),
      );
      return inner(
        place.at('layer.2'),
        c,
        place.build(() => keptRows(looked, kept)),
      );
    });
  }
  return { hidden: rmsNormAt(p.at('final_layer_norm'), x, c.normEpsilon), state: after };
}

type SelfAttend = (query: Value, key: Value, value: Value, project: LayerAttention['project']) => Value;

function selfPart(p: Scope, c: T5Config, x: Value, attend: SelfAttend): Value {
  const self = p.at('SelfAttention');
  const width = c.heads * c.headSize;
  const normed = rmsNormAt(p.at('layer_norm'), x, c.normEpsilon);
  const project = (states: Value) => ({
    key: inward(self.at('k'), c, states, width),
    value: inward(self.at('v'), c, states, width),
  });
  const query = queryOf(self, c, normed);
  const { key, value } = project(normed);
  const out = self.build(() => attend(query, key, value, project));
  return p.build(() => add(x, outward(self.at('o'), c, out, width)));
}

function crossPart(p: Scope, c: T5Config, x: Value, attend: (query: Value) => Value): Value {
  const cross = p.at('EncDecAttention');
  const query = queryOf(cross, c, rmsNormAt(p.at('layer_norm'), x, c.normEpsilon));
  const out = cross.build(() => attend(query));
  return p.build(() => add(x, outward(cross.at('o'), c, out, c.heads * c.headSize)));
}

function inner(p: Scope, c: T5Config, x: Value): Value {
  const dense = p.at('DenseReluDense');
  const normed = rmsNormAt(p.at('layer_norm'), x, c.normEpsilon);
  const first = inward(dense.at(c.gated ? 'wi_0' : 'wi'), c, normed, c.innerWidth);
  const active = dense.build(() => c.activation(first));
  const gated = c.gated ? dense.build(() => mul(active, inward(dense.at('wi_1'), c, normed, c.innerWidth))) : active;
  return p.build(() => add(x, outward(dense.at('wo'), c, gated, c.innerWidth)));
}

/** Scores are not divided by the root of the head size, so queries start as if they were. */
function queryOf(p: Scope, c: T5Config, x: Value): Value {
  const init = normal(c.factor / Math.sqrt(c.width * c.headSize));
  return linear(p.at('q'), x, c.heads * c.headSize, { bias: false, init });
}

function inward(p: Scope, c: T5Config, x: Value, width: number): Value {
  return linear(p, x, width, { bias: false, init: normal(c.factor / Math.sqrt(c.width)) });
}

function outward(p: Scope, c: T5Config, x: Value, fanIn: number): Value {
  return linear(p, x, c.width, { bias: false, init: normal(c.factor / Math.sqrt(fanIn)) });
}

function mixed({ heads }: T5Config, query: Value, key: Value, value: Value, bias: Value): Value {
  return attention(query, key, value, { heads, bias, scale: 1 });
}

function biasPlan({ heads, buckets, maxDistance }: T5Config, bidirectional: boolean): RelativeBias {
  return { heads, buckets, maxDistance, bidirectional };
}

/** The first block's table of distances serves all blocks of a stack. */
const tableOf = (stack: Scope) => stack.at('block.0.layer.0.SelfAttention.relative_attention_bias');

/** `[1, heads, T, T]`. */
function biasOverText(stack: Scope, plan: RelativeBias, t: Dim): Value {
  const places = iota(stack.graph, t);
  const bias = relativeBias(tableOf(stack), plan, reshape(places, [t, 1]), reshape(places, [1, t]));
  return reshape(transpose(bias, [2, 0, 1]), [1, plan.heads, t, t]);
}

/** `[B, heads, S, C]` for tokens at `positions [B, S]`; it hides what comes later. */
function biasOverState(stack: Scope, plan: RelativeBias, positions: Value, state: DecoderState): Value {
  const [b, s] = positions.shape as [Dim, Dim];
  const capacity = state.values['key.0']?.shape[1] as Dim;
  const query = reshape(positions, [b, s, 1]);
  const key = reshape(iota(stack.graph, capacity), [1, 1, capacity]);
  const bias = transpose(relativeBias(tableOf(stack), plan, query, key), [0, 3, 1, 2]);
  const later = reshape(less(query, key), [b, 1, s, capacity]);
  return where(later, fill(stack.graph, [], 'float32', -1e9), bias);
}

/** `past [B, C, W]` with `rows [B, S, W]` at their positions. */
function appended(past: Value, rows: Value, positions: Value): Value {
  const [b, capacity, width] = past.shape as [Dim, Dim, number];
  const { graph } = past.node;
  const starts = reshape(mul(iota(graph, b), sizeScalar(positions, capacity)), [b, 1]);
  const places = reshape(add(positions, starts), [-1]);
  const list = scatterRows(reshape(past, [-1, width]), places, reshape(rows, [-1, width]));
  return reshape(list, [b, capacity, width]);
}

function noSource(): TesseraError {
  return new TesseraError({
    code: 'model/no-source',
    message: 'a decoder that answers a source was given none',
    expected: 'what its `source.read` keeps',
  });
}
