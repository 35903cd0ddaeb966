// Times one training step of LLaVA (frozen CLIP ViT-B/16, projector, decoder of width 768) against transformers + PEFT:
// stage 1 trains the projector, stage 2 LoRA factors and the projector. All load one folder with the same weights.
//   node --import tsx bench/llava-step.ts --rounds 5 [--stages projector,lora] [--peers tessera,torch,torch-kept,torch-compiled]
// PyTorch comes from the interpreter in TESSERA_PYTHON: pip install -r bench/peers/requirements.txt
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Peer, type PeerCommand, startPeer } from './harness/peer.ts';
import { writeResults } from './harness/results.ts';
import { formatTable, median } from './harness/table.ts';
import { type LlavaProblem, rank, type StageName, stageNames, writeLlavaFolder } from './llava-problem.ts';
import { optimizer } from './problem.ts';

interface Sample {
  readonly ms: number;
  readonly cpuMs: number;
  readonly loss: number;
  /** Most bytes that the process ever held. */
  readonly peak: number;
  readonly sessionsBuilt?: number;
  readonly sessionsOfRun?: number;
  readonly hostCopies?: number;
  readonly hostCopyBytes?: number;
}

interface Entrant {
  readonly peer: Peer;
  readonly warmup: readonly Sample[];
  readonly samples: Sample[];
}

/** Variants of the transformers peer. */
const peerNames = ['tessera', 'torch', 'torch-kept', 'torch-compiled'] as const;
type PeerName = (typeof peerNames)[number];

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
    stages: { type: 'string', default: stageNames.join(',') },
    peers: { type: 'string', default: 'tessera,torch,torch-kept' },
    /** 32000 is LLaMA's, which LLaVA has. */
    vocabulary: { type: 'string', default: '32000' },
    batch: { type: 'string', default: '4' },
    text: { type: 'string', default: '64' },
    /** Folder of another checkout of tessera, to measure a change. */
    against: { type: 'string' },
  },
});
const [rounds, threads] = [Number(options.rounds), Number(options.threads)];
const problem: LlavaProblem = {
  vocabSize: Number(options.vocabulary),
  batch: Number(options.batch),
  textLength: Number(options.text),
};
const stages = options.stages.split(',').map((name) => pick('stages', name, stageNames));
const names = options.peers.split(',').map((name) => pick('peers', name, peerNames));

const absent: { readonly stage: StageName; readonly name: string; readonly reason: string }[] = [];
const { folder, parameters } = writeLlavaFolder(problem);
try {
  const results = [];
  for (const stage of stages) results.push(await playStage(stage));
  const path = writeResults('llava-step', { problem, rank, parameters, threads, rounds, absent, stages: results });
  console.log(`written to ${path}`);
} finally {
  rmSync(folder, { recursive: true });
}

/** The peers of a stage take turns, so that a disturbance meets all alike. */
async function playStage(stage: StageName) {
  const entrants: Entrant[] = [];
  try {
    for (const command of commandsOf(stage)) {
      process.stderr.write(`${stage}: starting ${command.name}\n`);
      const peer = await startPeer(command);
      if (typeof peer === 'string') absent.push({ stage, name: command.name, reason: peer });
      else entrants.push({ peer, warmup: [await stepOf(peer), await stepOf(peer)], samples: [] });
    }
    for (let round = 0; round < rounds; round++) {
      for (const { peer, samples } of round % 2 ? entrants.toReversed() : entrants) samples.push(await stepOf(peer));
      process.stderr.write(`${stage}: round ${round + 1} of ${rounds}\n`);
    }
  } finally {
    for (const { peer } of entrants) peer.stop();
  }
  return report(stage, entrants);
}

function commandsOf(stage: StageName): PeerCommand[] {
  const here = fileURLToPath(new URL('..', import.meta.url));
  const commands = names.map((name) => (name === 'tessera' ? tessera(stage, here) : torch(stage, name, here)));
  if (options.against !== undefined) commands.push(tessera(stage, options.against, `tessera in ${options.against}`));
  return commands;
}

function tessera(stage: StageName, cwd: string, name = 'tessera'): PeerCommand {
  const args = ['--import', 'tsx', 'bench/peers/llava.ts', JSON.stringify([folder, stage, threads])];
  return { name, command: process.execPath, args, cwd };
}

function torch(stage: StageName, name: PeerName, cwd: string): PeerCommand {
  const variant = name.split('-')[1] ?? 'eager';
  const args = ['bench/peers/torch_llava.py', JSON.stringify([folder, stage, threads, optimizer, variant])];
  return { name, command: process.env.TESSERA_PYTHON ?? 'python3', args, cwd };
}

async function stepOf(peer: Peer): Promise<Sample> {
  return (await peer.ask({ step: true })) as unknown as Sample;
}

function report(stage: StageName, entrants: readonly Entrant[]) {
  const reference = entrants.find(({ peer }) => peer.name === 'tessera');
  const summary = entrants.map(({ peer, warmup, samples }) => {
    const times = samples.map(({ ms }) => ms);
    return {
      name: peer.name,
      about: peer.about,
      medianMs: median(times),
      minMs: Math.min(...times),
      cpuMs: median(samples.map(({ cpuMs }) => cpuMs)),
      /** Before any weights: the runtime and its libraries. */
      idleMb: Number(peer.about.idle) / 1e6,
      peakMb: Math.max(...samples.map(({ peak }) => peak)) / 1e6,
      // Medians of the ratios within a round, for a machine that others use too.
      pairedRatio: reference && median(times.map((ms, i) => ms / (reference.samples[i]?.ms ?? Number.NaN))),
      /** Of every step from the first on: the same numbers show the same work. */
      losses: [...warmup, ...samples].map(({ loss }) => loss),
      samples,
    };
  });
  const { batch, textLength, vocabSize } = problem;
  console.log(
    `\n${stage}: ${batch} rows of 196 + ${textLength} tokens, vocabulary ${vocabSize}, ${threads} threads, ${rounds} rounds\n`,
  );
  const header = ['runtime', 'median ms', 'min ms', 'cpu ms', 'idle MB', 'peak MB', 'paired ratio'];
  const cells = summary.map((s) => [
    s.name,
    ...[s.medianMs, s.minMs, s.cpuMs, s.idleMb, s.peakMb].map((x) => x.toFixed(0)),
    s.pairedRatio?.toFixed(2) ?? '-',
  ]);
  console.log(formatTable(header, cells));
  for (const { name, about } of summary) {
    console.log(
      `${name}: ${[about.version, about.variant].filter(Boolean).join(', ')}; trains ${about.trained} of ${parameters} + adapters`,
    );
  }
  for (const one of absent.filter((one) => one.stage === stage))
    console.log(`${one.name}: not measured, ${one.reason}`);
  for (const { peer, samples } of entrants.filter(({ peer }) => peer.name.startsWith('tessera')))
    reportLedger(peer.name, samples);
  for (const { name, losses } of summary) {
    console.log(`losses of ${name}: ${losses.map((loss) => loss.toPrecision(7)).join(' ')}`);
  }
  return { stage, runtimes: summary };
}

/** What all measured steps together built and copied. */
function reportLedger(name: string, samples: readonly Sample[]): void {
  const sum = (of: 'sessionsBuilt' | 'hostCopies' | 'hostCopyBytes') =>
    samples.reduce((n, sample) => n + (sample[of] ?? 0), 0);
  const built = `${samples.at(-1)?.sessionsOfRun} sessions built by the whole run, ${sum('sessionsBuilt')} after warm-up`;
  console.log(
    `${name}: ${built}; ${sum('hostCopies')} host copies in ${samples.length} steps (${sum('hostCopyBytes')} bytes)`,
  );
}

function pick<T extends string>(option: string, value: string, known: readonly T[]): T {
  if ((known as readonly string[]).includes(value)) return value as T;
  console.error(`--${option}: expected one of ${known.join(', ')}, got ${value}`);
  process.exit(2);
}
