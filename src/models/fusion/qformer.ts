import type { Dim } from '../../base/index.ts';
import { add, concat, gather, slice, type Value } from '../../graph/index.ts';
import { attention, layerNormAt, linear, normal, type Scope } from '../../nn/index.ts';
import { activations } from '../activations.ts';
import { type ConfigReader, mostLayers } from '../config.ts';
import type { KeyValue } from '../decoders/index.ts';

/** The Querying Transformer (Li et al. 2023, section 3.1): BERT, in which learned queries look at an image beside a text. */
export interface QformerConfig {
  readonly width: number;
  readonly innerWidth: number;
  readonly layers: number;
  readonly heads: number;
  readonly activation: (x: Value) => Value;
  readonly normEpsilon: number;
  /** Queries look at the image in every n-th layer, the first among them. */
  readonly every: number;
  /** Whether it has feed-forward layers for text beside those for queries. */
  readonly text: boolean;
  readonly vocabSize: number;
  readonly maxPositions: number;
  /** Begins a text that is written about an image; `[DEC]` in the published code, which adds it last. */
  readonly start: number;
  readonly initStd: number;
}

/** Reads a `qformer_config`. */
export function qformerConfig(c: ConfigReader): QformerConfig {
  c.require('model_type', ['blip_2_qformer']);
  const width = c.size('hidden_size', 768);
  const vocabSize = c.size('vocab_size', 30522);
  return {
    width,
    innerWidth: c.size('intermediate_size', 3072),
    layers: c.size('num_hidden_layers', 12, mostLayers),
    heads: c.divisor('num_attention_heads', width, 12),
    activation: c.choice('hidden_act', activations, 'gelu'),
    normEpsilon: c.positive('layer_norm_eps', 1e-12),
    every: c.size('cross_attention_frequency', 2, mostLayers),
    text: c.flag('use_qformer_text_input', false),
    vocabSize,
    start: c.integer('bos_token_id', 0, vocabSize - 1, vocabSize - 1),
    maxPositions: c.size('max_position_embeddings', 512),
    initStd: c.positive('initializer_range', 0.02),
  };
}

/** Embeddings that it reads, before its first norm; at least one of the two. */
export interface QformerRows {
  /** `[N, Q, D]`. */
  readonly queries?: Value | undefined;
  /** `[N, T, D]`. */
  readonly text?: Value | undefined;
}

export interface QformerAsk {
  /** `[N, P, Dv]`: what the queries look at. */
  readonly features?: Value | undefined;
  /** Added to the scores `[N, heads, rows, keys]` of self-attention, broadcast; without it everything sees everything. */
  readonly bias?: Value | undefined;
  /** Keys and values of rows that were read before, for each layer; they stand before the own ones. */
  readonly past?: readonly KeyValue[] | undefined;
}

export interface QformerStates {
  /** `[N, Q, D]`, where there are queries. */
  readonly queries: Value | undefined;
  /** `[N, T, D]`, where there is text. */
  readonly text: Value | undefined;
  /** Keys and values of the self-attention of each layer. */
  readonly kept: readonly KeyValue[];
}

/** All rows see each other in self-attention, queries before text; queries alone see the image. */
export function qformer(p: Scope, c: QformerConfig, { queries, text }: QformerRows, ask: QformerAsk): QformerStates {
  const count = (queries?.shape[1] ?? 0) as number;
  const given = [queries, text].filter((rows) => rows !== undefined);
  const joined = p.build(() => (given.length > 1 ? concat(given, 1) : (given[0] as Value)));
  let x = layerNormAt(p.at('layernorm'), joined, c.normEpsilon);
  const kept: KeyValue[] = [];
  for (let i = 0; i < c.layers; i++) {
    const place = p.at('encoder.layer').at(i);
    const read = x;
    const own = keysAndValues(place.at('attention.attention'), c, read);
    kept.push(own);
    const seen = withPast(place, own, ask.past?.[i]);
    x = p.graph.segment(() => block(place, c, { x: read, seen, count, layer: i }, ask));
  }
  const parts = partsOf(p, x, count);
  return { ...parts, kept };
}

interface BlockRows {
  readonly x: Value;
  readonly seen: KeyValue;
  readonly count: number;
  readonly layer: number;
}

function block(p: Scope, c: QformerConfig, { x, seen, count, layer }: BlockRows, ask: QformerAsk): Value {
  const attended = look(p.at('attention'), c, x, seen, ask.bias);
  const { queries, text } = partsOf(p, attended, count);
  const out: Value[] = [];
  if (queries) {
    const looks = ask.features && layer % c.every === 0;
    const place = p.at('crossattention');
    const found = looks
      ? look(place, c, queries, keysAndValues(place.at('attention'), c, ask.features as Value), undefined)
      : queries;
    out.push(feedForward(p, c, found, '_query'));
  }
  if (text) out.push(feedForward(p, c, text, ''));
  return p.build(() => (out.length > 1 ? concat(out, 1) : (out[0] as Value)));
}

/** The rows of queries and of text of `x [N, Q + T, D]`. */
function partsOf(p: Scope, x: Value, count: number): Pick<QformerStates, 'queries' | 'text'> {
  if (count === 0) return { queries: undefined, text: x };
  if (x.shape[1] === count) return { queries: x, text: undefined };
  return p.build(() => ({ queries: slice(x, 1, 0, count), text: slice(x, 1, count) }));
}

function keysAndValues(p: Scope, c: QformerConfig, states: Value): KeyValue {
  return { key: plain(p.at('key'), c, states, c.width), value: plain(p.at('value'), c, states, c.width) };
}

function withPast(p: Scope, own: KeyValue, past: KeyValue | undefined): KeyValue {
  if (!past) return own;
  return p.build(() => ({ key: concat([past.key, own.key], 1), value: concat([past.value, own.value], 1) }));
}

/** Attention of `x` over keys and values, its sum with `x`, and a norm behind the sum, as in BERT. */
function look(p: Scope, c: QformerConfig, x: Value, { key, value }: KeyValue, bias: Value | undefined): Value {
  const query = plain(p.at('attention.query'), c, x, c.width);
  const mixed = p.build(() => attention(query, key, value, { heads: c.heads, bias }));
  return normedSum(p.at('output'), c, x, mixed);
}

function feedForward(p: Scope, c: QformerConfig, x: Value, set: '' | '_query'): Value {
  const place = p.at(`intermediate${set}`);
  const inner = plain(place.at('dense'), c, x, c.innerWidth);
  return normedSum(
    p.at(`output${set}`),
    c,
    x,
    place.build(() => c.activation(inner)),
  );
}

function normedSum(p: Scope, c: QformerConfig, x: Value, inner: Value): Value {
  const summed = p.build(() => add(x, plain(p.at('dense'), c, inner, c.width)));
  return layerNormAt(p.at('LayerNorm'), summed, c.normEpsilon);
}

function plain(p: Scope, c: QformerConfig, x: Value, width: number): Value {
  return linear(p, x, width, { init: normal(c.initStd) });
}

/** Words and their places `[B, T, D]` of `ids [B, T]`; `p` holds both tables. */
export function qformerWords(p: Scope, c: QformerConfig, ids: Value): Value {
  const table = p.at('position_embeddings').param('weight', [c.maxPositions, c.width], normal(c.initStd));
  const words = qformerTable(p, c);
  return p.build(() => add(gather(words, ids), slice(table, 0, 0, ids.shape[1] as Dim)));
}

/** The table of words `[V, D]`; `p` as in `qformerWords`. */
export function qformerTable(p: Scope, c: QformerConfig): Value {
  return p.at('word_embeddings').param('weight', [c.vocabSize, c.width], normal(c.initStd));
}
