/**
 * Tokens a second of cached decoding, random weights. Run: `npx tsx bench/decode.ts [--rounds 5] [--tokens 64]`.
 * Cases are interleaved, medians are shown, and `bench/results/decode.json` gets all of it.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { GenerationProgram, generate } from '../src/generate/index.ts';
import { createModel } from '../src/models/index.ts';
import { initializeStore } from '../src/nn/index.ts';
import { type Engine, openEngine } from '../src/runtime/index.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, tokens: { type: 'string', default: '64' } },
});
const [rounds, tokens] = [Number(values.rounds), Number(values.tokens)];
const PROMPT = 64;

const sizes = [
  { name: 'D256 L6', vocab: 4096, width: 256, inner: 688, heads: 4 },
  { name: 'D768 L6', vocab: 8192, width: 768, inner: 2048, heads: 12 },
];

interface Case {
  readonly name: string;
  readonly batch: number;
  readonly program: GenerationProgram;
  readonly vocab: number;
  /** Milliseconds to the first token, and tokens a second of all rows from there on. */
  readonly first: number[];
  readonly rate: number[];
}

function makeCases(engine: Engine): Case[] {
  return sizes.flatMap(({ name, vocab, width, inner, heads }) => {
    const { model, store } = createModel({
      model_type: 'llama',
      vocab_size: vocab,
      hidden_size: width,
      intermediate_size: inner,
      num_hidden_layers: 6,
      num_attention_heads: heads,
      max_position_embeddings: 2048,
    });
    if (model.kind !== 'causal') throw new Error('a decoder is wanted');
    initializeStore(store, 1);
    const program = new GenerationProgram({ engine, model, store });
    return [1, 8].map((batch) => ({ name, batch, program, vocab, first: [], rate: [] }));
  });
}

async function measure({ program, batch, vocab, first, rate }: Case, count: number): Promise<void> {
  const requests = Array.from({ length: batch }, (_, row) => ({
    ids: Array.from({ length: PROMPT }, (_, t) => (row * 131 + t * 17 + 1) % vocab),
    maxTokens: count,
  }));
  const from = performance.now();
  const seen: number[] = [];
  await generate(program, requests, { onToken: (row) => void (row === 0 && seen.push(performance.now())) });
  const [begin, end] = [seen[0] as number, seen.at(-1) as number];
  first.push(begin - from);
  rate.push((1000 * batch * (count - 1)) / (end - begin));
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

const engine = await openEngine();
const cases = makeCases(engine);
for (const one of cases) await measure({ ...one, first: [], rate: [] }, 4);
for (let round = 0; round < rounds; round++) for (const one of cases) await measure(one, tokens);

const rows = cases.map(({ name, batch, first, rate }) => ({
  model: name,
  batch,
  firstTokenMs: Number(median(first).toFixed(1)),
  tokensPerSecond: Math.round(median(rate)),
  best: Math.round(Math.max(...rate)),
}));
console.table(rows);
const about = { engine: engine.name, version: engine.version, threads: engine.threads, cores: availableParallelism() };
const folder = new URL('results/', import.meta.url);
mkdirSync(folder, { recursive: true });
const result = { bench: 'decode', ...about, prompt: PROMPT, tokens, rounds, rows };
writeFileSync(new URL('decode.json', folder), `${JSON.stringify(result, null, 2)}\n`);
for (const { program } of cases) await program.dispose();
