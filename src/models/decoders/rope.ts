import { rotaryFrequencies } from '../../nn/index.ts';
import { ConfigReader } from '../config.ts';

/** How a decoder turns its queries and keys. */
export interface Rope {
  /** Angle of one position for each pair of numbers that turn; the rest of a head stays. */
  readonly frequencies: Float32Array;
  /** Of cosines and sines. */
  readonly scale: number;
  /** Most positions for which this holds. */
  readonly maxPositions: number;
}

/** Largest rotary table, positions times head size; those of a million positions fit. */
const largestTable = 2 ** 27;

/**
 * Reads `rope_parameters` of transformers 5, or `rope_scaling` and `rope_theta` of earlier files.
 * @param defaults of the model type
 * @throws TesseraError for scalings that are not implemented
 */
export function readRope(
  c: ConfigReader,
  headSize: number,
  defaults: { readonly theta: number; readonly positions: number },
): Rope {
  const positions = c.size('max_position_embeddings', defaults.positions, Math.floor(largestTable / headSize));
  const rope = ropePart(c);
  const field = (key: string) => (rope.json[key] == null ? c : rope);
  const theta = field('rope_theta').positive('rope_theta', defaults.theta);
  const partial = field('partial_rotary_factor').positive('partial_rotary_factor', 1);
  const dims = 2 * Math.floor((headSize * Math.min(partial, 1)) / 2);
  return scaled({ c, rope, positions, frequencies: rotaryFrequencies(dims, theta) });
}

function ropePart(c: ConfigReader): ConfigReader {
  const key = ['rope_scaling', 'rope_parameters'].find((name) => c.json[name] != null);
  return key ? c.part(key) : new ConfigReader({}, c.where);
}

interface Plain {
  readonly c: ConfigReader;
  readonly rope: ConfigReader;
  readonly positions: number;
  readonly frequencies: Float32Array;
}

const scalings: Readonly<Record<string, (plain: Plain) => Rope>> = {
  default: ({ frequencies, positions }) => ({ frequencies, scale: 1, maxPositions: positions }),
  linear: ({ rope, frequencies, positions }) => {
    const factor = rope.positive('factor');
    return { frequencies: frequencies.map((f) => f / factor), scale: 1, maxPositions: positions };
  },
  llama3: (plain) => ({ frequencies: llama3(plain), scale: 1, maxPositions: plain.positions }),
  longrope: longrope,
  su: longrope,
};

/** Why these are refused. */
const refused: Readonly<Record<string, string>> = {
  dynamic: 'dynamic scaling turns every key anew as a text grows, so keys cannot be kept',
  yarn: 'yarn is not implemented',
};

function scaled(plain: Plain): Rope {
  const key = plain.rope.json.rope_type == null ? 'type' : 'rope_type';
  const why = refused[String(plain.rope.json[key])];
  if (why !== undefined) throw plain.rope.fault(key, `default, linear, llama3 or longrope: ${why}`);
  return plain.rope.choice(key, scalings, 'default')(plain);
}

/**
 * LLaMA 3.1 (Grattafiori et al. 2024): waves shorter than `original/high` positions stay, those longer than `original/low`
 * are stretched by the factor, and between the two it goes over from one to the other.
 */
function llama3({ c, rope, frequencies }: Plain): Float32Array {
  const [factor, low, high] = [
    rope.positive('factor'),
    rope.positive('low_freq_factor'),
    rope.positive('high_freq_factor'),
  ];
  const original = originalPositions(c, rope);
  return frequencies.map((f) => {
    const waves = (original * f) / (2 * Math.PI);
    if (waves > high) return f;
    if (waves < low) return f / factor;
    const smooth = (waves - low) / (high - low);
    return ((1 - smooth) * f) / factor + smooth * f;
  });
}

/**
 * LongRoPE (Ding et al. 2024) has one set of factors for texts up to the original length and one for longer texts, which
 * turns the keys of the whole text anew. The first set is read, and texts end at the original length.
 */
function longrope({ c, rope, frequencies, positions }: Plain): Rope {
  const original = originalPositions(c, rope);
  const factors = rope.numbers('short_factor', frequencies.length);
  const factor = rope.json.factor == null ? positions / original : rope.positive('factor');
  const scale = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
  return {
    frequencies: frequencies.map((f, i) => f / (factors[i] as number)),
    scale: rope.positive('attention_factor', scale),
    maxPositions: Math.min(positions, original),
  };
}

function originalPositions(c: ConfigReader, rope: ConfigReader): number {
  const key = 'original_max_position_embeddings';
  return (rope.json[key] == null ? c : rope).size(key, c.size('max_position_embeddings'));
}
