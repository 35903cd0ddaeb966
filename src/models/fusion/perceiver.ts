import type { Dim } from '../../base/index.ts';
import { add, concat, expand, gelu, reshape, split, type Value } from '../../graph/index.ts';
import { attention, type Init, kaimingUniform, layerNormAt, linear, normal, type Scope } from '../../nn/index.ts';
import type { ConfigReader } from '../config.ts';

/** The Perceiver resampler (Alayrac et al. 2022, section 2.1, appendix A.1.1): few learned latents look at many features. */
export interface PerceiverConfig {
  readonly latents: number;
  readonly layers: number;
  readonly heads: number;
  readonly headSize: number;
  /** Of its features and latents alike. */
  readonly width: number;
  /** Inner width of its feed-forward layers, in widths. */
  readonly multiple: number;
}

/** PyTorch's default, which no norm of the published code sets. */
export const NORM_EPSILON = 1e-5;

/** Reads the settings of a resampler; those of the published code where they are not said. */
export function perceiverConfig(c: ConfigReader, width: number): PerceiverConfig {
  return {
    latents: c.size('num_latents', 64, 2 ** 12),
    layers: c.size('depth', 6, 2 ** 8),
    heads: c.size('heads', 8, 2 ** 10),
    headSize: c.size('dim_head', 64, 2 ** 12),
    width,
    multiple: c.size('ff_mult', 4, 2 ** 8),
  };
}

/** Latents `[N, R, Dv]` of features `[N, P, Dv]`. */
export function perceiver(p: Scope, c: PerceiverConfig, features: Value): Value {
  // Louder ones drown in themselves what differs from image to image.
  const latents = p.param('latents', [c.latents, c.width], normal(0.02));
  let x = p.build(() => {
    const wide = reshape(latents, [1, c.latents, c.width]);
    return expand(wide, [features.shape[0] as Dim, c.latents, c.width]);
  });
  for (let i = 0; i < c.layers; i++) {
    const layer = p.at('layers').at(i);
    const read = x;
    x = p.graph.segment(() => {
      const looked = layer.build(() => add(look(layer.at(0), c, features, read), read));
      return layer.build(() => add(feedForward(layer.at(1), looked, c.multiple), looked));
    });
  }
  return layerNormAt(p.at('norm'), x, NORM_EPSILON);
}

/** The latents look at the features and at themselves. */
function look(p: Scope, c: PerceiverConfig, features: Value, latents: Value): Value {
  const seen = layerNormAt(p.at('norm_media'), features, NORM_EPSILON);
  const own = layerNormAt(p.at('norm_latents'), latents, NORM_EPSILON);
  const inner = c.heads * c.headSize;
  const query = plain(p.at('to_q'), own, inner);
  const { key, value } = keysAndValues(
    p,
    p.build(() => concat([seen, own], 1)),
    inner,
  );
  const mixed = p.build(() => attention(query, key, value, { heads: c.heads }));
  return plain(p.at('to_out'), mixed, c.width);
}

/** Keys and values `[.., inner]` of states, by one matrix. */
export function keysAndValues(p: Scope, states: Value, inner: number): { readonly key: Value; readonly value: Value } {
  const both = plain(p.at('to_kv'), states, 2 * inner);
  const [key, value] = p.build(() => split(both, -1, [inner, inner])) as [Value, Value];
  return { key, value };
}

/** A norm, and two layers with GELU between them. @param out how the second layer starts */
export function feedForward(p: Scope, x: Value, multiple: number, out?: Init): Value {
  const width = x.shape.at(-1) as number;
  const normed = layerNormAt(p.at(0), x, NORM_EPSILON);
  const inner = plain(p.at(1), normed, multiple * width);
  return plain(
    p.at(3),
    p.build(() => gelu(inner)),
    width,
    out,
  );
}

/** A linear layer without bias that starts as PyTorch's does. */
export function plain(p: Scope, x: Value, width: number, init: Init = kaimingUniform(x.shape.at(-1) as number)): Value {
  return linear(p, x, width, { bias: false, init });
}
