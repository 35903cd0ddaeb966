import type { Dim } from '../../base/index.ts';
import {
  add,
  argMax,
  cast,
  expand,
  gather,
  matmul,
  maximum,
  minimum,
  mul,
  pad,
  reduceSum,
  reshape,
  sub,
  transpose,
  type Value,
} from '../../graph/index.ts';
import type { Init, Scope } from '../../nn/index.ts';
import { type ConfigJson, ConfigReader } from '../config.ts';
import { active, conv, GROUPS, middle, residual } from './vq-blocks.ts';

/**
 * The tokenizer of images of Chameleon: the convolutional encoder of VQGAN (Esser et al. 2021, as Make-A-Scene has it, Gafni et
 * al. 2022) and the nearest row of a code book (van den Oord et al. 2017).
 */
export interface VqConfig {
  /** Side of its images in pixels. */
  readonly resolution: number;
  /** Widths of the levels; each but the last halves both sides. */
  readonly widths: readonly [number, ...number[]];
  /** Residual blocks of a level. */
  readonly blocks: number;
  readonly latentChannels: number;
  /** Whether it has the decoder, which paints. */
  readonly paints: boolean;
  /** Width of the code book. */
  readonly codeWidth: number;
  readonly codes: number;
}

const mostLevels = 10;

/** Reads the `vq_config` of a configuration. */
export function vqConfig(json: ConfigJson, where?: string): VqConfig {
  const c = new ConfigReader(json, where);
  const base = c.size('base_channels', 128, 2 ** 13);
  if (base % GROUPS !== 0) throw c.fault('base_channels', `a multiple of ${GROUPS}, the groups of its norms`);
  const given = json.channel_multiplier ?? [1, 1, 2, 2, 4];
  const fits = (x: unknown): x is number => Number.isInteger(x) && (x as number) > 0 && (x as number) <= 64;
  if (!Array.isArray(given) || given.length === 0 || given.length > mostLevels || !given.every(fits)) {
    throw c.fault('channel_multiplier', `1 to ${mostLevels} whole numbers from 1 to 64`);
  }
  c.require('in_channels', [3]);
  c.require('double_latent', [false]);
  c.require('dropout', [0]);
  c.require('attn_type', ['vanilla']);
  c.require('attn_resolutions', [null]);
  const least = 2 ** (given.length - 1);
  return {
    resolution: c.integer('resolution', least, 2 ** 13, 512),
    widths: given.map((times) => base * times) as [number, ...number[]],
    blocks: c.size('num_res_blocks', 2, 64),
    latentChannels: c.size('latent_channels', 256),
    // Of no published configuration: their weights come without the decoder.
    paints: c.flag('image_decoder', false),
    codeWidth: c.size('embed_dim', 256),
    codes: c.size('num_embeddings', 8192),
  };
}

/** Rows and columns of codes. */
type Grid = readonly [number, number];

/** Codes of an image of `height` by `width` pixels: rows and columns of its grid. */
export function vqGrid({ widths }: VqConfig, height: number, width: number): Grid {
  const cells = (side: number) => Math.floor(side / 2 ** (widths.length - 1));
  return [cells(height), cells(width)];
}

/** Latents `[N, E, h, w]` before they are quantised, of pixels `[N, 3, H, W]`. */
export function vqLatents(p: Scope, c: VqConfig, pixels: Value): Value {
  const encoded = encoder(p.at('encoder'), c, pixels);
  return conv(p.at('quant_conv'), encoded, c.codeWidth, 1);
}

/** Latents `[N*h*w, E]` in reading order, of `[N, E, h, w]`. */
export function latentRows(p: Scope, { codeWidth }: VqConfig, latents: Value): Value {
  return p.build(() => reshape(transpose(latents, [0, 2, 3, 1]), [-1, codeWidth]));
}

/** The nearest rows of the code book, int32 `[R]`, of rows `[R, E]`. */
export function nearestCodes(p: Scope, c: VqConfig, rows: Value): Value {
  const book = codeBook(p, c);
  return p.at('quantize').build(() => {
    // |z - e|^2 is least where 2 z e - |e|^2 is greatest.
    const near = sub(matmul(rows, book, { transB: true, alpha: 2 }), reduceSum(mul(book, book), -1));
    return cast(argMax(near), 'int32');
  });
}

/** Codes int32 `[N, h*w]` of pixels `[N, 3, H, W]`, in reading order. */
export function imageCodes(p: Scope, c: VqConfig, pixels: Value): Value {
  const latents = vqLatents(p, c, pixels);
  const [n, , h, w] = latents.shape as [Dim, number, number, number];
  const codes = nearestCodes(p, c, latentRows(p, c, latents));
  return p.build(() => reshape(codes, [n, h * w]));
}

/** Pixels `[N, 3, H, W]` from 0 to 1 of codes int32 `[N, h*w]` in reading order. */
export function paintCodes(p: Scope, c: VqConfig, codes: Value, grid: Grid): Value {
  const pixels = vqPixels(p, c, codeLatents(p, c, codes, grid));
  return p.build(() => mul(add(maximum(minimum(pixels, 1), -1), 1), 0.5));
}

/** Pixels `[N, 3, H, W]`, about -1 to 1, of what the decoder paints from. */
export function vqPixels(p: Scope, c: VqConfig, latents: Value): Value {
  return decoder(p.at('decoder'), c, latents);
}

/** Latents `[N, C, h, w]`, what the decoder paints from, of codes int32 `[N, h*w]`. */
export function codeLatents(p: Scope, c: VqConfig, codes: Value, grid: Grid): Value {
  const book = codeBook(p, c);
  const vectors = p.at('quantize').build(() => gather(book, codes));
  return rowLatents(p, c, vectors, [codes.shape[0] as Dim, ...grid]);
}

/** The same of rows `[N*h*w, E]` or `[N, h*w, E]` of the code book. */
export function rowLatents(p: Scope, c: VqConfig, rows: Value, grid: readonly [Dim, number, number]): Value {
  const vectors = p.at('quantize').build(() => transpose(reshape(rows, [...grid, c.codeWidth]), [0, 3, 1, 2]));
  return conv(p.at('post_quant_conv'), vectors, c.latentChannels, 1);
}

/** The table of codes `[K, E]`. */
export function codeBook(p: Scope, { codes, codeWidth }: VqConfig): Value {
  return p
    .at('quantize.embedding')
    .param('weight', [codes, codeWidth], { kind: 'uniform', bound: 1 / codes } satisfies Init);
}

function encoder(p: Scope, c: VqConfig, pixels: Value): Value {
  let x = conv(p.at('conv_in'), pixels, c.widths[0], 3);
  for (const [level, width] of c.widths.entries()) {
    const place = p.at('down').at(level);
    for (let i = 0; i < c.blocks; i++) x = residual(place.at('block').at(i), x, width);
    if (level < c.widths.length - 1) x = halved(place.at('downsample.conv'), x);
  }
  return conv(p.at('conv_out'), active(p.at('norm_out'), middle(p.at('mid'), x)), c.latentChannels, 3);
}

/** Half as many rows and columns; what the kernel reads beyond the right and the bottom is zero. */
function halved(p: Scope, x: Value): Value {
  const padded = p.build(() => pad(pad(x, 2, 0, 1), 3, 0, 1));
  return conv(p, padded, x.shape[1] as number, 3, { stride: 2, padding: 0 });
}

/** The encoder in a mirror, with a block more in each level. */
function decoder(p: Scope, c: VqConfig, latents: Value): Value {
  let x = middle(p.at('mid'), conv(p.at('conv_in'), latents, c.widths.at(-1) as number, 3));
  for (const [level, width] of [...c.widths.entries()].reverse()) {
    const place = p.at('up').at(level);
    for (let i = 0; i <= c.blocks; i++) x = residual(place.at('block').at(i), x, width);
    if (level > 0) x = doubled(place.at('upsample.conv'), x);
  }
  return conv(p.at('conv_out'), active(p.at('norm_out'), x), 3, 3);
}

/** Twice as many rows and columns, each pixel four times, and a convolution. */
function doubled(p: Scope, x: Value): Value {
  const [n, width, h, w] = x.shape as [Dim, number, number, number];
  const larger = p.build(() => {
    const apart = expand(reshape(x, [n, width, h, 1, w, 1]), [n, width, h, 2, w, 2]);
    return reshape(apart, [n, width, 2 * h, 2 * w]);
  });
  return conv(p, larger, width, 3);
}
