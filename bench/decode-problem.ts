import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createModel, saveModel } from '../src/models/index.ts';
import { initializeStore } from '../src/nn/index.ts';

/** What every peer does: answers greedily to prompts of equal length, with the same weights. */
export interface DecodeProblem {
  readonly width: number;
  readonly innerWidth: number;
  readonly layers: number;
  readonly heads: number;
  readonly vocabSize: number;
  readonly batch: number;
  /** Tokens of each prompt. */
  readonly prompt: number;
  /** Tokens that each answer gets. */
  readonly tokens: number;
}

type Sizes = Omit<DecodeProblem, 'prompt' | 'tokens'>;

const small = { width: 256, innerWidth: 688, layers: 6, heads: 4, vocabSize: 4096 };
const base = { width: 768, innerWidth: 2048, layers: 6, heads: 12, vocabSize: 8192 };
const wide = { width: 2048, innerWidth: 5504, layers: 2, heads: 16, vocabSize: 8192 };

export const decodeCases = {
  small: { ...small, batch: 1 },
  'small-8': { ...small, batch: 8 },
  base: { ...base, batch: 1 },
  'base-8': { ...base, batch: 8 },
  wide: { ...wide, batch: 1 },
  'wide-8': { ...wide, batch: 8 },
} as const satisfies Record<string, Sizes>;

/** Writes a Hugging Face folder with random weights, which all peers load. */
export function writeDecoder(c: Sizes): string {
  const made = createModel({
    model_type: 'llama',
    architectures: ['LlamaForCausalLM'],
    vocab_size: c.vocabSize,
    hidden_size: c.width,
    intermediate_size: c.innerWidth,
    num_hidden_layers: c.layers,
    num_attention_heads: c.heads,
    num_key_value_heads: c.heads,
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-5,
    bos_token_id: null,
    eos_token_id: null,
    pad_token_id: null,
  });
  initializeStore(made.store, 1);
  const folder = mkdtempSync(join(tmpdir(), 'tessera-decode-'));
  saveModel(folder, made);
  return folder;
}

export function prompts({ batch, prompt, vocabSize }: DecodeProblem): number[][] {
  return Array.from({ length: batch }, (_, row) =>
    Array.from({ length: prompt }, (_, t) => (row * 131 + t * 17 + 1) % vocabSize),
  );
}

/** Shapes `[out, in]` of the matrices that a new token is multiplied with. */
export function matrices(c: DecodeProblem): [number, number][] {
  const [d, f] = [c.width, c.innerWidth];
  const layer: [number, number][] = [
    [d, d],
    [d, d],
    [d, d],
    [d, d],
    [f, d],
    [f, d],
    [d, f],
  ];
  return [...Array.from({ length: c.layers }, () => layer).flat(), [c.vocabSize, d]];
}
