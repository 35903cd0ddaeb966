// Prints what rounding a model's weights to 4 and 8 bits does to its perplexity: on the answers of dialogues about scenes
// that are described in words and were in no training.
//   node --import tsx bench/perplexity.ts [--model assets/backbones/tabletop-lm] [--scenes 300] [--seed 9]
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { encodeRow, type Row } from '../src/data/index.ts';
import { loadForGeneration } from '../src/generate/index.ts';
import { type QuantizeWay, roundWeights } from '../src/generate/quantize.ts';
import { type ScoreRequest, score } from '../src/generate/score.ts';
import { kept, openSpeaker } from '../src/generate/speaker.ts';
import { openEngine } from '../src/runtime/index.ts';
import { writeWorld } from '../src/world/index.ts';
import { writeResults } from './harness/results.ts';
import { formatTable } from './harness/table.ts';

const { values: options } = parseArgs({
  options: {
    model: {
      type: 'string',
      default: fileURLToPath(new URL('../assets/backbones/tabletop-lm', import.meta.url)),
    },
    scenes: { type: 'string', default: '300' },
    seed: { type: 'string', default: '9' },
    threads: { type: 'string', default: '2' },
  },
});

interface Dialogue {
  readonly conversations: readonly { readonly from: string; readonly value: string }[];
}

const byte = { bits: 8, block: 128 } as const;
const half = (block: number) => ({ bits: 4, block }) as const;
const ways: readonly (readonly [name: string, way: QuantizeWay | undefined])[] = [
  ['float32', undefined],
  ['8 bits, blocks of 128 (int8)', { blocks: byte, head: byte }],
  ['4 bits, blocks of 32, head 8 bits (int4)', { blocks: half(32), head: byte }],
  ['4 bits, blocks of 64, head 8 bits', { blocks: half(64), head: byte }],
  ['4 bits, blocks of 128, head 8 bits', { blocks: half(128), head: byte }],
  ['4 bits, blocks of 32, head too', { blocks: half(32), head: half(32) }],
];

const engine = await openEngine({ threads: Number(options.threads) });
const parts = await loadForGeneration(options.model, engine);
const requests = await heldOut();
const rows: { readonly name: string; readonly perplexity: number }[] = [];
let tokens = 0;
for (const [name, way] of ways) {
  const { program } = openSpeaker(way ? roundWeights(parts, way) : parts);
  const scores = await score(program, requests, { tokens: 4096 });
  await program.dispose();
  const all = scores.flatMap((each) => [...each]);
  tokens = all.length;
  rows.push({ name, perplexity: Math.exp(-all.reduce((a, b) => a + b, 0) / tokens) });
}
const cells = rows.map(({ name, perplexity }) => {
  const change = perplexity / (rows[0]?.perplexity ?? Number.NaN) - 1;
  return [name, perplexity.toFixed(4), `${(100 * change).toFixed(2)} %`];
});
console.log(formatTable(['weights', 'perplexity', 'change'], cells));
console.log(`${tokens} tokens of answers, ${options.model}`);
console.log(`written to ${writeResults('perplexity', { model: options.model, tokens, rows })}`);

async function heldOut(): Promise<ScoreRequest[]> {
  const folder = join(mkdtempSync(join(tmpdir(), 'tessera-perplexity-')), 'world');
  try {
    const request = { seed: Number(options.seed), split: 'val', count: Number(options.scenes) } as const;
    await writeWorld(folder, { ...request, tasks: ['text-instructions'] });
    const dialogues = JSON.parse(readFileSync(join(folder, 'llava_text.json'), 'utf8')) as Dialogue[];
    return dialogues.map(({ conversations }, i) => answers(conversations, `dialogue ${i}`));
  } finally {
    rmSync(join(folder, '..'), { recursive: true, force: true });
  }
}

function answers(conversation: Dialogue['conversations'], where: string): ScoreRequest {
  const { settings } = openSpeaker(parts);
  const turns = conversation.map(({ from, value }) => ({
    role: from === 'human' ? ('user' as const) : ('assistant' as const),
    parts: [{ type: 'text' as const, text: value }],
  }));
  const row: Row = { id: where, where, media: [], turns };
  const { ids, supervised } = kept(encodeRow(row, settings));
  return { ids, targets: Array.from(ids, (_, t) => t).filter((t) => t > 0 && supervised[t] === 1) };
}
