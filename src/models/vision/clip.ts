import type { Dim } from '../../base/index.ts';
import { add, concat, expand, gather, l2Normalize, reshape, slice, type Value } from '../../graph/index.ts';
import { attention, causalBias, embedding, layerNormAt, linear, normal, type Scope } from '../../nn/index.ts';
import { activations } from '../activations.ts';
import { type ConfigJson, ConfigReader, mostLayers } from '../config.ts';
import { linearPatches, type PatchGrid, patchGridConfig, patchPositions, placedPositions } from './patches.ts';

/** The transformer that CLIP's two towers share (Radford et al. 2021). */
export interface ClipStackConfig {
  readonly width: number;
  readonly innerWidth: number;
  readonly layers: number;
  readonly heads: number;
  readonly normEpsilon: number;
  readonly activation: (x: Value) => Value;
  readonly initStd: number;
}

export interface ClipVisionConfig extends ClipStackConfig, PatchGrid {}

export interface ClipTextConfig extends ClipStackConfig {
  readonly vocabSize: number;
  readonly maxPositions: number;
}

export interface ClipConfig {
  readonly vision: ClipVisionConfig;
  readonly text: ClipTextConfig;
  readonly projectionWidth: number;
  /** Start of the learned temperature, as a logarithm. */
  readonly logitScale: number;
}

function stackConfig(c: ConfigReader, inner: number, heads: number): ClipStackConfig {
  const width = c.size('hidden_size');
  return {
    width,
    innerWidth: c.size('intermediate_size', inner),
    layers: c.size('num_hidden_layers', 12, mostLayers),
    heads: c.divisor('num_attention_heads', width, heads),
    normEpsilon: c.positive('layer_norm_eps', 1e-5),
    activation: c.choice('hidden_act', activations, 'quick_gelu'),
    initStd: c.positive('initializer_range', 0.02),
  };
}

/** Reads a CLIP vision configuration, alone or as `vision_config`. */
export function clipVisionConfig(json: ConfigJson, where?: string): ClipVisionConfig {
  const c = new ConfigReader({ hidden_size: 768, ...json }, where);
  c.require('model_type', ['clip_vision_model']);
  return { ...stackConfig(c, 3072, 12), ...patchGridConfig(c, 32) };
}

/** Reads a two-tower CLIP configuration. */
export function clipConfig(json: ConfigJson, where?: string): ClipConfig {
  const c = new ConfigReader(json, where);
  c.require('model_type', ['clip']);
  const text = c.part('text_config');
  return {
    vision: clipVisionConfig(c.part('vision_config').json, `${c.where}: vision_config`),
    text: {
      ...stackConfig(new ConfigReader({ hidden_size: 512, ...text.json }, text.where), 2048, 8),
      vocabSize: text.size('vocab_size', 49408),
      maxPositions: text.size('max_position_embeddings', 77),
    },
    projectionWidth: c.size('projection_dim', 512),
    logitScale: c.number('logit_scale_init_value', 2.6592),
  };
}

export interface ClipVisionOutputs {
  /** Entry 0 is the encoder's input, entry i the output of block i: `[N, 1+P, D]`, class row first. */
  readonly hiddenStates: readonly Value[];
  /** The class row after the last norm, `[N, D]`. */
  readonly pooled: Value;
}

/** The vision transformer on pixels `[N, 3, H, W]`; `p` is the place of the tower. */
export function clipVision(p: Scope, c: ClipVisionConfig, pixels: Value): ClipVisionOutputs {
  const tokens = clipVisionEmbed(p.at('embeddings'), c, pixels);
  // The name is misspelt in every published checkpoint.
  const hiddenStates = clipStack(p.at('encoder'), c, layerNormAt(p.at('pre_layrnorm'), tokens, c.normEpsilon));
  return { hiddenStates, pooled: clipPooled(p, c, hiddenStates.at(-1) as Value) };
}

/** The class row `[N, D]` of a hidden state `[N, 1+P, D]` after the last norm; `p` is the place of the tower. */
export function clipPooled(p: Scope, c: ClipVisionConfig, state: Value): Value {
  const classRow = p.build(() => firstRow(state));
  return layerNormAt(p.at('post_layernorm'), classRow, c.normEpsilon);
}

function clipVisionEmbed(p: Scope, c: ClipVisionConfig, pixels: Value): Value {
  return p.build(() => {
    const [n] = pixels.shape as [Dim];
    const patches = linearPatches(p.at('patch_embedding'), c, pixels);
    // As CLIP's own code starts them: at 0.02 patches hardly ever learn to tell where they lie.
    const start = normal(c.width ** -0.5);
    const classRow = expand(reshape(p.param('class_embedding', [c.width], start), [1, 1, c.width]), [n, 1, c.width]);
    const table = p.at('position_embedding').param('weight', [patchPositions(c), c.width], start);
    return add(concat([classRow, patches], 1), placedPositions(table, c, pixels));
  });
}

function firstRow(x: Value): Value {
  return reshape(slice(x, 1, 0, 1), [x.shape[0] as Dim, x.shape[2] as Dim]);
}

/** Pre-norm transformer blocks; returns the input and every block's output. */
function clipStack(p: Scope, c: ClipStackConfig, input: Value, bias?: Value): Value[] {
  const states = [input];
  for (let i = 0; i < c.layers; i++) {
    states.push(p.graph.segment(() => clipBlock(p.at('layers').at(i), c, states[i] as Value, bias)));
  }
  return states;
}

/** CLIP's own starts: inputs of residual branches by depth, outputs by width (its `init_std` table in code). */
function stackInit({ width, layers }: ClipStackConfig) {
  return {
    into: normal(width ** -0.5 * (2 * layers) ** -0.5),
    out: normal(width ** -0.5),
    inner: normal((2 * width) ** -0.5),
  };
}

function clipBlock(p: Scope, c: ClipStackConfig, x: Value, bias?: Value): Value {
  const start = stackInit(c);
  const self = p.at('self_attn');
  const normed = layerNormAt(p.at('layer_norm1'), x, c.normEpsilon);
  const [q, k, v] = ['q_proj', 'k_proj', 'v_proj'].map((name) =>
    linear(self.at(name), normed, c.width, { init: start.into }),
  ) as [Value, Value, Value];
  const mixed = self.build(() => attention(q, k, v, { heads: c.heads, ...(bias && { bias }) }));
  const attended = p.build(() => add(x, linear(self.at('out_proj'), mixed, c.width, { init: start.out })));
  const mlp = p.at('mlp');
  const normedAgain = layerNormAt(p.at('layer_norm2'), attended, c.normEpsilon);
  const inner = linear(mlp.at('fc1'), normedAgain, c.innerWidth, { init: start.inner });
  const active = mlp.build(() => c.activation(inner));
  return p.build(() => add(attended, linear(mlp.at('fc2'), active, c.width, { init: start.into })));
}

/** The causal text transformer; gives the normed state `[B, D]` at the flat rows `endRows [B]` of `ids [B, T]`. */
function clipText(p: Scope, c: ClipTextConfig, ids: Value, endRows: Value): Value {
  const embeddings = p.at('embeddings');
  const tokens = embedding(embeddings.at('token_embedding'), ids, c.vocabSize, c.width, normal(c.initStd));
  const placed = embeddings.build(() => {
    const table = embeddings.at('position_embedding').param('weight', [c.maxPositions, c.width], normal(c.initStd));
    return add(tokens, slice(table, 0, 0, ids.shape[1] as Dim));
  });
  const bias = p.build(() => causalBias(p.graph, ids.shape[1] as Dim));
  const last = clipStack(p.at('encoder'), c, placed, bias).at(-1) as Value;
  const normed = layerNormAt(p.at('final_layer_norm'), last, c.normEpsilon);
  return p.build(() => gather(reshape(normed, [-1, c.width]), endRows));
}

const projection = ({ width }: ClipStackConfig) => ({ bias: false, init: normal(width ** -0.5) });

/** Unit vectors of images `[N, projection]`, and the states of the tower. */
export function clipImage(p: Scope, c: ClipConfig, pixels: Value): { vector: Value; states: readonly Value[] } {
  const { pooled, hiddenStates } = clipVision(p.at('vision_model'), c.vision, pixels);
  return { vector: imageVector(p, c, pooled), states: hiddenStates };
}

/** Unit vectors of texts `[B, projection]`. */
export function clipTextVector(p: Scope, c: ClipConfig, ids: Value, endRows: Value): Value {
  return textVector(p, c, clipText(p.at('text_model'), c.text, ids, endRows));
}

function imageVector(p: Scope, c: ClipConfig, pooled: Value): Value {
  return l2Normalize(linear(p.at('visual_projection'), pooled, c.projectionWidth, projection(c.vision)));
}

function textVector(p: Scope, c: ClipConfig, state: Value): Value {
  return l2Normalize(linear(p.at('text_projection'), state, c.projectionWidth, projection(c.text)));
}

/** The temperature's logarithm `[]`. */
export function clipLogitScale(p: Scope, c: ClipConfig): Value {
  return p.param('logit_scale', [], { kind: 'constant', value: c.logitScale });
}

/** Both unit vectors. Files list the towers before the projections, so they are asked for in this order. */
export function clipTowers(
  p: Scope,
  c: ClipConfig,
  { pixels, ids, endRows }: { readonly pixels: Value; readonly ids: Value; readonly endRows: Value },
): { readonly image_embeds: Value; readonly text_embeds: Value } {
  const { pooled } = clipVision(p.at('vision_model'), c.vision, pixels);
  const state = clipText(p.at('text_model'), c.text, ids, endRows);
  const vectors = { image_embeds: imageVector(p, c, pooled), text_embeds: textVector(p, c, state) };
  clipLogitScale(p, c);
  return vectors;
}
