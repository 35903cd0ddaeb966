import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { MemoryCase } from '../../bench/peers/memory.ts';

const script = fileURLToPath(new URL('../../bench/peers/memory.ts', import.meta.url));
const MB = 1e6;

/** Measures in a process of its own, as the bench does. */
function measure<T>(one: MemoryCase): T {
  const args = ['--expose-gc', '--import', 'tsx', script, JSON.stringify(one)];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

const decoder = (layers: number) => ({
  model_type: 'llama',
  vocab_size: 256,
  hidden_size: 64,
  intermediate_size: 176,
  num_hidden_layers: layers,
  num_attention_heads: 2,
  max_position_embeddings: 256,
});

const llava = {
  model_type: 'llava',
  image_token_index: 96,
  text_config: decoder(6),
  vision_config: {
    model_type: 'clip_vision_model',
    hidden_size: 64,
    intermediate_size: 256,
    num_hidden_layers: 6,
    num_attention_heads: 2,
    image_size: 112,
    patch_size: 8,
  },
};

describe('memory of the process', { timeout: 600_000 }, () => {
  // The order of execution, on which it hangs, is up to ONNX Runtime.
  it.each([
    ['a decoder', { config: decoder(12), rows: 8, length: 128 }],
    ['LLaVA with images', { config: llava, rows: 8, length: 220, images: 1 }],
  ] as const)('peaks lower with recomputation: %s', (_, size) => {
    const base = { ...size, task: 'gradients', times: 0 } as const;
    const grown = (recompute: boolean) => {
      const settings = { ...base, recompute };
      const { peak, resident, hash } = measure<{ peak: number; resident: number; hash: string }>(settings);
      return { bytes: peak - resident, hash };
    };
    const plain = grown(false);
    // What the allocator keeps differs by a fifth from process to process, so the least of three counts.
    const again = [1, 2, 3].map(() => grown(true));
    expect(plain.bytes).toBeGreaterThan(80 * MB);
    expect(Math.min(...again.map(({ bytes }) => bytes))).toBeLessThan(0.6 * plain.bytes);
    expect(new Set([plain, ...again].map(({ hash }) => hash)).size).toBe(1);
  });

  it.each([
    ['steps', 100],
    ['generations', 100],
    ['sessions', 40],
  ] as const)('stays flat over %s', (task, times) => {
    const one = { task, times, config: decoder(2), rows: 4, length: 32 };
    const { resident, handles } = measure<{ resident: number[]; handles: number }>(one);
    const half = resident.length / 2;
    // The first half warms up.
    expect(Math.max(...resident.slice(half)) - Math.max(...resident.slice(0, half))).toBeLessThan(12 * MB);
    expect(handles).toBe(0);
  });
});
