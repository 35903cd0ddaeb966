import type { Dim, Named, Shape } from '../../base/index.ts';
import {
  add,
  argMax,
  cast,
  equal,
  expand,
  fill,
  iota,
  less,
  mul,
  reshape,
  scatterRows,
  sizeScalar,
  takeRows,
  tanh,
  type Value,
  where,
} from '../../graph/index.ts';
import { attention, layerNormAt, normal, type Scope } from '../../nn/index.ts';
import { feedForward, keysAndValues, NORM_EPSILON, plain } from './perceiver.ts';

/** Gated cross attention (Alayrac et al. 2022, section 2.2): a layer that stands in front of a block of a frozen decoder. */
export interface GatedConfig {
  readonly heads: number;
  readonly headSize: number;
  /** Inner width of its feed-forward layer, in widths. */
  readonly multiple: number;
  /** Blocks of the decoder that have such a layer in front. */
  readonly layers: readonly number[];
  /** Latents of an image. */
  readonly latents: number;
  /** What the gates start at, before the tanh; 0 in the paper, where a new model is the frozen decoder. */
  readonly gateStart: number;
}

/** What the tokens of a text see: each the latents of the last image at or before it. */
export interface Shown {
  /** `[B, M*R, Dv]`: R latents of each of a row's images, of which it may have fewer than M. */
  readonly latents: Value;
  /** int32 `[B, M]`: 1, 2, … for the images of a row, 0 where it has no more. */
  readonly numbers: Value;
  /** int32 `[B, T]`: the number of the image that each token sees; 0 before the first. */
  readonly latest: Value;
}

/** Keys and values of each row's last image: what every further token sees. */
export function gatedState({ heads, headSize, layers, latents }: GatedConfig): Named<Shape> {
  const shape = ['B', latents, heads * headSize];
  const perLayer = layers.flatMap((i) => [`${keyName(i)}`, `${valueName(i)}`].map((name) => [name, shape] as const));
  return { ...Object.fromEntries(perLayer), [seenName]: ['B', 1] };
}

const keyName = (layer: number) => `media.key.${layer}`;
const valueName = (layer: number) => `media.value.${layer}`;
/** 1 for rows that show an image. */
const seenName = 'media.seen';

/** The latents `[N, R, Dv]` of all images in the grid of rows: image n is at `places[n]` of `[B*M]`. */
export function latentsByRow(latents: Value, places: Value, numbers: Value): Value {
  const [, r, width] = latents.shape as [Dim, number, number];
  const [b, m] = numbers.shape as [Dim, Dim];
  const slots = reshape(fill(latents.node.graph, [b, m, r * width], 'float32', 0), [-1, r * width]);
  return reshape(scatterRows(slots, places, reshape(latents, [-1, r * width])), [b, -1, width]);
}

/** The layers in front of a decoder's blocks, in one pass. */
export interface GatedLayers {
  /** The states `[B, T, D]` that block `layer` reads. */
  before(layer: number, x: Value): Value;
  /** The state after the layers so far; empty where the pass keeps none. */
  readonly state: Named<Value>;
}

/** Layers over a text that is read whole. @param keep whether further tokens are going to be read after it */
export function gatedOverText(
  p: Scope,
  c: GatedConfig,
  shown: Shown | undefined,
  rows: Dim,
  keep: boolean,
): GatedLayers {
  const after: Record<string, Value> = {};
  const bias = shown && p.build(() => latestOnly(shown, c.latents));
  const last = shown && keep && p.build(() => lastImages(shown.numbers));
  if (keep) after[seenName] = last ? last.seen : fill(p.graph, [rows, 1], 'float32', 0);
  return layersOf(p, c, after, (place, layer, query) => {
    if (!shown) return undefined;
    const { key, value } = keysAndValues(place, shown.latents, c.heads * c.headSize);
    if (last) {
      after[keyName(layer)] = place.build(() => rowsOf(key, c.latents, last.places));
      after[valueName(layer)] = place.build(() => rowsOf(value, c.latents, last.places));
    }
    const sees = less(fill(p.graph, [], 'int32', 0), reshape(shown.latest, [...shown.latest.shape, 1]));
    return where(sees, attention(query, key, value, { heads: c.heads, bias }), 0);
  });
}

/** Layers over tokens behind a prompt, whose last image they see. */
export function gatedOverState(p: Scope, c: GatedConfig, state: Named<Value>): GatedLayers {
  const seen = state[seenName] as Value;
  const sees = p.build(() => less(fill(p.graph, [], 'float32', 0.5), reshape(seen, [...seen.shape, 1])));
  return layersOf(p, c, {}, (_, layer, query) => {
    const [key, value] = [state[keyName(layer)] as Value, state[valueName(layer)] as Value];
    return where(sees, attention(query, key, value, { heads: c.heads }), 0);
  });
}

/** Mixed values of a layer's queries `[B, T, inner]`; undefined where no token sees anything. */
type Look = (p: Scope, layer: number, query: Value) => Value | undefined;

function layersOf(p: Scope, c: GatedConfig, state: Named<Value>, look: Look): GatedLayers {
  const has = new Set(c.layers);
  return {
    state,
    before: (i, x) => (has.has(i) ? p.graph.segment(() => gatedLayer(p.at(i), c, x, (q, y) => look(q, i, y))) : x),
  };
}

// A gate at nought and a loud layer behind it hold each other: what the layer says at first is noise, so its gate stays shut,
// and through a shut gate it learns nothing. A layer that starts faint does no harm behind a gate that opens, or is open.
const faint = normal(0.002);

/** `y = x + tanh(a) look(x)`, then `y + tanh(b) ff(y)`. */
function gatedLayer(p: Scope, c: GatedConfig, x: Value, look: (p: Scope, query: Value) => Value | undefined): Value {
  const cross = p.at('attn');
  const query = plain(cross.at('to_q'), layerNormAt(cross.at('norm'), x, NORM_EPSILON), c.heads * c.headSize);
  const mixed = cross.build(() => look(cross, query));
  const looked = mixed
    ? gated(p, 'attn_gate', c.gateStart, x, plain(cross.at('to_out'), mixed, x.shape.at(-1) as number, faint))
    : x;
  return gated(p, 'ff_gate', c.gateStart, looked, feedForward(p.at('ff'), looked, c.multiple, faint));
}

function gated(p: Scope, gate: string, start: number, x: Value, added: Value): Value {
  return p.build(() => add(mul(added, tanh(p.param(gate, [1], { kind: 'constant', value: start }))), x));
}

/** `[B, 1, T, M*R]` bias that hides all images from a token but the one that it sees. */
function latestOnly({ latest, numbers }: Shown, latents: number): Value {
  const { graph } = latest.node;
  const [b, t] = latest.shape as [Dim, Dim];
  const [, m] = numbers.shape as [Dim, Dim];
  const sees = equal(reshape(latest, [b, t, 1, 1]), reshape(numbers, [b, 1, m, 1]));
  const bias = where(sees, fill(graph, [], 'float32', 0), -1e9);
  return reshape(expand(bias, [b, t, m, latents]), [b, 1, t, -1]);
}

/** Where the last image of each row is in the grid `[B*M]` (the first place for a row without), and which rows have one. */
function lastImages(numbers: Value): { readonly places: Value; readonly seen: Value } {
  const [b, m] = numbers.shape as [Dim, Dim];
  const column = argMax(cast(numbers, 'float32'), 1);
  const places = add(mul(iota(numbers.node.graph, b), sizeScalar(column, m)), column);
  const most = reshape(takeRows(reshape(numbers, [-1]), places), [b, 1]);
  return { places, seen: cast(less(fill(numbers.node.graph, [], 'int32', 0), most), 'float32') };
}

/** Of states `[B, M*R, D]` those of one image a row: `[B, R, D]`. */
function rowsOf(states: Value, latents: number, places: Value): Value {
  const [b, , width] = states.shape as [Dim, Dim, number];
  return reshape(takeRows(reshape(states, [-1, latents * width]), places), [b, latents, width]);
}
