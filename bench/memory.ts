// Measures memory, each case in processes of its own, and writes `bench/results/memory.json`:
// recomputation against keeping everything; the plan of a stage against its peak; residents that must not grow.
//   node --import tsx bench/memory.ts [--only recompute,plan,flat] [--rounds 3]
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeResults } from './harness/results.ts';
import { formatTable, median } from './harness/table.ts';
import type { MemoryCase } from './peers/memory.ts';

const { values: options } = parseArgs({
  options: { only: { type: 'string', default: 'recompute,plan,flat' }, rounds: { type: 'string', default: '3' } },
});
const wanted = options.only.split(',');

const decoder = (width: number, layers: number, vocab = 4096) => ({
  model_type: 'llama',
  vocab_size: vocab,
  hidden_size: width,
  intermediate_size: Math.round((width * 8) / 3 / 16) * 16,
  num_hidden_layers: layers,
  num_attention_heads: width / 64,
  max_position_embeddings: 1024,
});
const llava = {
  model_type: 'llava',
  image_token_index: 96,
  text_config: decoder(256, 6),
  vision_config: {
    model_type: 'clip_vision_model',
    hidden_size: 256,
    intermediate_size: 1024,
    num_hidden_layers: 6,
    num_attention_heads: 4,
    image_size: 112,
    patch_size: 8,
  },
};
const tiny = { ...decoder(64, 2, 256), max_position_embeddings: 64 };

const results: Record<string, unknown> = {};
if (wanted.includes('recompute')) results.recompute = await recompute();
if (wanted.includes('plan')) results.plan = await plans();
if (wanted.includes('flat')) results.flat = await flat();
console.log(`written to ${writeResults('memory', results)}`);

/** Rounds take turns, so that a disturbance meets both alike. */
async function recompute() {
  const base = { task: 'gradients', config: decoder(256, 12), rows: 8, length: 256, times: 2 } as const;
  const rounds: { readonly plain: Measured; readonly again: Measured }[] = [];
  for (let round = 0; round < Number(options.rounds); round++) {
    const plain = await measure({ ...base, recompute: false });
    rounds.push({ plain, again: await measure({ ...base, recompute: true }) });
    process.stderr.write(`recompute: round ${round + 1} of ${options.rounds}\n`);
  }
  const ratio = (of: 'ms' | 'cpuMs') => median(rounds.map(({ plain, again }) => least(again[of]) / least(plain[of])));
  const peaks = { plain: median(rounds.map((r) => r.plain.peak)), again: median(rounds.map((r) => r.again.peak)) };
  const equal = rounds.every(({ plain, again }) => plain.hash === again.hash);
  const row = (name: 'plain' | 'again') => [
    name === 'plain' ? 'kept' : 'recomputed',
    mb(peaks[name]),
    ...(['ms', 'cpuMs'] as const).map((of) => median(rounds.map((r) => least(r[name][of]))).toFixed(0)),
  ];
  console.log(formatTable(['D=256 L=12 T=256 B=8', 'peak MB', 'ms', 'cpu ms'], [row('plain'), row('again')]));
  const share = (1 - peaks.again / peaks.plain) * 100;
  console.log(
    `peak ${share.toFixed(0)} % lower, time x${ratio('ms').toFixed(2)}, processor time x${ratio('cpuMs').toFixed(2)}, ` +
      `gradients ${equal ? 'equal bit for bit' : 'DIFFER'}\n`,
  );
  return { peaks, timeRatio: ratio('ms'), cpuRatio: ratio('cpuMs'), equal, rounds };
}

async function plans() {
  const stage = { task: 'stage', times: 2 } as const;
  const text = { ...stage, rows: 8, length: 256 };
  const seeing = { ...stage, config: llava, rows: 8, length: 260, images: 1 };
  const onlyProjector = ['multi_modal_projector.**'];
  const cases: readonly [string, MemoryCase][] = [
    ['decoder D=64 L=2, B=8 T=64', { ...text, config: tiny, length: 64 }],
    ['decoder D=256 L=6, B=8 T=256', { ...text, config: decoder(256, 6) }],
    ['decoder D=256 L=12, B=8 T=256', { ...text, config: decoder(256, 12) }],
    ['the same, recomputed', { ...text, config: decoder(256, 12), recompute: true }],
    ['decoder D=256 L=6, B=1 T=1024', { ...text, config: decoder(256, 6), rows: 1, length: 1024 }],
    ['decoder D=512 L=4, B=4 T=256, 2 passes a step', { ...text, config: decoder(512, 4), rows: 4, accumulate: 2 }],
    ['LLaVA with images, all trained', seeing],
    ['the same, recomputed', { ...seeing, recompute: true }],
    ['LLaVA with images, projector', { ...seeing, trainable: onlyProjector }],
    ['LLaVA with images, LoRA and projector', { ...seeing, lora: 16, trainable: [...onlyProjector, '**.lora_*.*'] }],
    ['LLaVA on text alone', { ...text, config: llava }],
  ];
  const rows = [];
  for (const [name, one] of cases) {
    const { plan, peak } = await measure(one);
    rows.push({ name, plan, peak, error: plan.peak / peak - 1 });
    process.stderr.write(`plan: ${name}\n`);
  }
  const percent = (x: number) => `${x > 0 ? '+' : ''}${(100 * x).toFixed(0)} %`;
  const cells = rows.map(({ name, plan, peak, error }) => [
    name,
    ...[plan.resident, plan.gradients + plan.moments, plan.activations, plan.runtime, plan.peak, peak].map(mb),
    percent(error),
  ]);
  const titles = ['stage', 'in use', 'optimizer', 'activations', 'runtime', 'planned', 'peak MB', 'error'];
  console.log(`${formatTable(titles, cells)}\n`);
  return rows;
}

async function flat() {
  const base = { config: tiny, rows: 4, length: 32 };
  const cases: readonly [string, MemoryCase][] = [
    ['500 training steps', { ...base, task: 'steps', times: 500 }],
    ['500 generations', { ...base, task: 'generations', times: 500 }],
    ['200 sessions built, run and released', { ...base, task: 'sessions', times: 200 }],
  ];
  const rows = [];
  for (const [name, one] of cases) {
    const { resident, handles } = await measure(one);
    // The first fifth warms up.
    const start = median(resident.slice(4, 8));
    const end = median(resident.slice(-4));
    rows.push({ name, start, end, growth: end / start - 1, handles, resident });
    process.stderr.write(`flat: ${name}\n`);
  }
  const cells = rows.map(({ name, start, end, growth, handles }) => [
    name,
    mb(start),
    mb(end),
    `${(100 * growth).toFixed(1)} %`,
    `${handles}`,
  ]);
  console.log(`${formatTable(['work', 'warm MB', 'end MB', 'growth', 'native handles'], cells)}\n`);
  return rows;
}

interface Measured {
  readonly peak: number;
  readonly ms: readonly number[];
  readonly cpuMs: readonly number[];
  readonly hash: string;
  readonly plan: Readonly<Record<'resident' | 'gradients' | 'moments' | 'activations' | 'runtime' | 'peak', number>>;
  readonly resident: readonly number[];
  readonly handles: number;
}

/** Runs one case in a process of its own. */
function measure(one: MemoryCase): Promise<Measured> {
  const script = fileURLToPath(new URL('peers/memory.ts', import.meta.url));
  const child = spawn(process.execPath, ['--expose-gc', '--import', 'tsx', script, JSON.stringify(one)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (text) => {
    said += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve(JSON.parse(said)) : reject(new Error(`ended with code ${code}`))));
  });
}

function least(times: readonly number[]): number {
  return Math.min(...times);
}

function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
