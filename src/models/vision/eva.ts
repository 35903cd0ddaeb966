import type { Dim } from '../../base/index.ts';
import { add, concat, expand, reshape, split, type Value } from '../../graph/index.ts';
import { attention, layerNormAt, linear, normal, type Scope } from '../../nn/index.ts';
import { activations } from '../activations.ts';
import { type ConfigJson, ConfigReader, mostLayers } from '../config.ts';
import { linearPatches, type PatchGrid, patchGridConfig, patchPositions, placedPositions } from './patches.ts';

/** The vision transformer of EVA-CLIP (Fang et al. 2022, Sun et al. 2023), as BLIP-2 reads it. */
export interface EvaConfig extends PatchGrid {
  readonly innerWidth: number;
  readonly layers: number;
  readonly heads: number;
  readonly normEpsilon: number;
  readonly activation: (x: Value) => Value;
  /** Whether queries, keys and values have a bias; that of the keys is 0 in the published files. */
  readonly bias: boolean;
}

/** Reads a configuration of model type blip_2_vision_model. */
export function evaConfig(json: ConfigJson, where?: string): EvaConfig {
  const c = new ConfigReader(json, where);
  c.require('model_type', ['blip_2_vision_model']);
  const width = c.size('hidden_size', 1408);
  return {
    ...patchGridConfig(c, 14),
    width,
    innerWidth: c.size('intermediate_size', 6144),
    layers: c.size('num_hidden_layers', 39, mostLayers),
    heads: c.divisor('num_attention_heads', width, 16),
    normEpsilon: c.positive('layer_norm_eps', 1e-6),
    activation: c.choice('hidden_act', activations, 'gelu'),
    bias: c.flag('qkv_bias', true),
    // The published configurations say 1e-10, from which no new tower could learn.
    initStd: 0.02,
  };
}

/** States `[N, 1 + P, D]` of pixels `[N, 3, H, W]` after the last norm, class row first; `p` is the place of the tower. */
export function evaVision(p: Scope, c: EvaConfig, pixels: Value): Value {
  let x = evaEmbed(p.at('embeddings'), c, pixels);
  for (let i = 0; i < c.layers; i++) {
    const read = x;
    x = p.graph.segment(() => evaBlock(p.at('encoder.layers').at(i), c, read));
  }
  return layerNormAt(p.at('post_layernorm'), x, c.normEpsilon);
}

function evaEmbed(p: Scope, c: EvaConfig, pixels: Value): Value {
  return p.build(() => {
    const [n] = pixels.shape as [Dim];
    const start = normal(c.width ** -0.5);
    const classRow = expand(p.param('class_embedding', [1, 1, c.width], start), [n, 1, c.width]);
    const positions = patchPositions(c);
    const table = reshape(p.param('position_embedding', [1, positions, c.width], start), [positions, c.width]);
    const patches = linearPatches(p.at('patch_embedding'), c, pixels, true);
    return add(concat([classRow, patches], 1), placedPositions(table, c, pixels));
  });
}

function evaBlock(p: Scope, c: EvaConfig, x: Value): Value {
  const self = p.at('self_attn');
  const init = normal(c.width ** -0.5);
  const out = normal((2 * c.layers * c.width) ** -0.5);
  const normed = layerNormAt(p.at('layer_norm1'), x, c.normEpsilon);
  const joined = linear(self.at('qkv'), normed, 3 * c.width, { bias: c.bias, init });
  const mixed = self.build(() => {
    const [query, key, value] = split(joined, -1, [c.width, c.width, c.width]) as [Value, Value, Value];
    return attention(query, key, value, { heads: c.heads });
  });
  const attended = p.build(() => add(x, linear(self.at('projection'), mixed, c.width, { init: out })));
  const mlp = p.at('mlp');
  const inner = linear(mlp.at('fc1'), layerNormAt(p.at('layer_norm2'), attended, c.normEpsilon), c.innerWidth, {
    init,
  });
  const active = mlp.build(() => c.activation(inner));
  const outer = normal((2 * c.layers * c.innerWidth) ** -0.5);
  return p.build(() => add(attended, linear(mlp.at('fc2'), active, c.width, { init: outer })));
}
