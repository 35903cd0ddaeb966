/** The problem that every peer solves: one training step of a LLaMA-style decoder, with the same weights and tokens. */
export interface DecoderConfig {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly innerWidth: number;
  readonly vocabSize: number;
  readonly batch: number;
  readonly length: number;
}

export const configs = {
  tiny: { width: 64, layers: 2, heads: 2, innerWidth: 172, vocabSize: 256, batch: 4, length: 64 },
  small: { width: 256, layers: 6, heads: 4, innerWidth: 688, vocabSize: 4096, batch: 8, length: 256 },
  long: { width: 256, layers: 6, heads: 4, innerWidth: 688, vocabSize: 4096, batch: 2, length: 1024 },
  base: { width: 768, layers: 6, heads: 12, innerWidth: 2048, vocabSize: 8192, batch: 4, length: 256 },
} as const satisfies Record<string, DecoderConfig>;

/** AdamW as every peer runs it; no clipping. */
export const optimizer = { rate: 1e-3, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.01 } as const;

export const normEpsilon = 1e-5;
export const ropeTheta = 10000;

/** Names and shapes of the parameters, `[out, in]` as checkpoints store them. */
export function parameters(c: DecoderConfig): [name: string, shape: number[]][] {
  const [d, f, v] = [c.width, c.innerWidth, c.vocabSize];
  const layer = (i: number): [string, number[]][] =>
    (
      [
        ['input_layernorm', [d]],
        ['self_attn.q_proj', [d, d]],
        ['self_attn.k_proj', [d, d]],
        ['self_attn.v_proj', [d, d]],
        ['self_attn.o_proj', [d, d]],
        ['post_attention_layernorm', [d]],
        ['mlp.gate_proj', [f, d]],
        ['mlp.up_proj', [f, d]],
        ['mlp.down_proj', [d, f]],
      ] as [string, number[]][]
    ).map(([name, shape]) => [`model.layers.${i}.${name}.weight`, shape]);
  return [
    ['model.embed_tokens.weight', [v, d]],
    ...Array.from({ length: c.layers }, (_, i) => layer(i)).flat(),
    ['model.norm.weight', [d]],
    ['lm_head.weight', [v, d]],
  ];
}

/** First value of a parameter: norms 1, matrices uniform with standard deviation 0.02, from a hash of name and place. */
export function initialValue(name: string, shape: readonly number[]): Float32Array<ArrayBuffer> {
  const data = new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(1);
  if (shape.length === 1) return data;
  const seed = hashText(name);
  for (let i = 0; i < data.length; i++) data[i] = (mix(i, seed) / 2 ** 32 - 0.5) * (0.02 * Math.sqrt(12));
  return data;
}

/** Tokens `[B*T]`. */
export function tokens(c: DecoderConfig): Int32Array<ArrayBuffer> {
  return new Int32Array(c.batch * c.length).map((_, i) => mix(i, 7) % c.vocabSize);
}

function hashText(text: string): number {
  let h = 0;
  for (const letter of text) h = (Math.imul(h, 31) + (letter.codePointAt(0) as number)) >>> 0;
  return h;
}

function mix(i: number, seed: number): number {
  let h = (Math.imul(i, 0x9e3779b1) + seed) >>> 0;
  h = Math.imul(h ^ (h >>> 15), 0x85ebca77) >>> 0;
  return (h ^ (h >>> 13)) >>> 0;
}

/**
 * Multiply-adds counted twice, forward and backward: 6 a weight and token, and 12 B T^2 D a layer for the two products of
 * attention without regard to the causal half. All peers are measured by this number, whatever they really compute.
 */
export function stepFlops(c: DecoderConfig): number {
  const rows = c.batch * c.length;
  const weights = c.layers * (4 * c.width ** 2 + 3 * c.width * c.innerWidth) + c.width * c.vocabSize;
  return 6 * weights * rows + 12 * c.layers * rows * c.length * c.width;
}

/** Sizes `[m, k, n]` of the model's matrix products: feed-forward and head. */
export function productSizes(c: DecoderConfig): [number, number, number][] {
  const rows = c.batch * c.length;
  return [
    [rows, c.width, c.innerWidth],
    [rows, c.width, c.vocabSize],
  ];
}

/** Rotary tables `[T, d/2]`. */
export function ropeTables(c: DecoderConfig): { cos: Float32Array; sin: Float32Array } {
  const half = c.width / c.heads / 2;
  const angles = Float32Array.from({ length: c.length * half }, (_, i) => {
    return Math.floor(i / half) * ropeTheta ** (-(i % half) / half);
  });
  return { cos: angles.map(Math.cos), sin: angles.map(Math.sin) };
}
