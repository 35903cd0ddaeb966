// Times cached greedy decoding of LLaMA-style decoders with random weights in several runtimes, in turn.
//   node --import tsx bench/decode.ts --rounds 5 [--cases small,base,small-8] [--peers tessera,tessera-binding,transformers]
// transformers comes from the interpreter in TESSERA_PYTHON: pip install -r bench/peers/requirements.txt
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type DecodeProblem, decodeCases, matrices, prompts, writeDecoder } from './decode-problem.ts';
import { type Peer, type PeerCommand, startPeer } from './harness/peer.ts';
import { writeResults } from './harness/results.ts';
import { formatTable, median } from './harness/table.ts';

interface Sample {
  readonly firstMs: number;
  /** A new token of all rows. */
  readonly ms: number;
  readonly cpuMs: number;
  /** The model's products with one row, alone. */
  readonly boundMs?: number;
  readonly boundCpuMs?: number;
  readonly ids: readonly (readonly number[])[];
  readonly sessionsBuilt?: number;
  readonly hostCopyBytes?: number;
}

interface Entrant {
  readonly peer: Peer;
  readonly samples: Sample[];
}

const caseNames = Object.keys(decodeCases) as (keyof typeof decodeCases)[];
const peerNames = ['tessera', 'tessera-int8', 'tessera-int4', 'tessera-binding', 'transformers'] as const;
type PeerName = (typeof peerNames)[number];

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    tokens: { type: 'string', default: '64' },
    prompt: { type: 'string', default: '64' },
    threads: { type: 'string', default: '2' },
    cases: { type: 'string', default: 'small,base,small-8' },
    peers: { type: 'string', default: 'tessera,tessera-binding,transformers' },
    /** Folder of another checkout of tessera, to measure a change. */
    against: { type: 'string' },
  },
});
const [rounds, tokens, prompt, threads] = [options.rounds, options.tokens, options.prompt, options.threads].map(
  Number,
) as [number, number, number, number];
const names = options.peers.split(',').map((name) => pick('peers', name, peerNames));

const results = [];
for (const name of options.cases.split(',').map((name) => pick('cases', name, caseNames))) {
  results.push(await compare(name, { ...decodeCases[name], prompt, tokens }));
}
console.log(`written to ${writeResults('decode', { threads, rounds, prompt, tokens, cases: results })}`);

/** One case in all runtimes, each in a process of its own that idles while the others work. */
async function compare(name: string, problem: DecodeProblem) {
  const folder = writeDecoder(problem);
  const entrants: Entrant[] = [];
  try {
    const absent = await enterAll(entrants, folder, problem);
    for (let round = 0; round < rounds; round++) {
      for (const { peer, samples } of round % 2 ? [...entrants].reverse() : entrants) {
        samples.push((await peer.ask({ step: true })) as unknown as Sample);
      }
      process.stderr.write(`${name}: round ${round + 1} of ${rounds}\n`);
    }
    return report(name, problem, entrants, absent);
  } finally {
    for (const { peer } of entrants) peer.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function enterAll(entrants: Entrant[], folder: string, problem: DecodeProblem) {
  const absent: { readonly name: string; readonly reason: string }[] = [];
  const wanted: [PeerName, string?][] = names.map((name) => [name]);
  if (options.against !== undefined) wanted.push(['tessera', options.against]);
  for (const [name, against] of wanted) {
    const peer = await startPeer(commandOf(name, folder, problem, against));
    if (typeof peer === 'string') {
      absent.push({ name, reason: peer });
      continue;
    }
    entrants.push({ peer, samples: [] });
    await peer.ask({ step: true });
  }
  return absent;
}

function report(name: string, problem: DecodeProblem, entrants: readonly Entrant[], absent: readonly object[]) {
  const bytes = 4 * matrices(problem).reduce((n, [rows, columns]) => n + rows * columns, 0);
  const reference = entrants.find(({ peer }) => peer.name === 'tessera')?.samples ?? [];
  const bounds = reference.flatMap(({ boundMs }) => boundMs ?? []);
  const boundMs = bounds.length > 0 ? Math.min(...bounds) : Number.NaN;
  const boundCpuMs = median(reference.flatMap(({ boundCpuMs }) => boundCpuMs ?? []));
  const rows = entrants.map(({ peer, samples }) => {
    const times = samples.map(({ ms }) => ms);
    const [middle, best] = [median(times), Math.min(...times)];
    return {
      name: peer.name,
      about: peer.about,
      tokensPerSecond: (1000 * problem.batch) / middle,
      bestTokensPerSecond: (1000 * problem.batch) / best,
      medianMs: middle,
      minMs: best,
      cpuMs: median(samples.map(({ cpuMs }) => cpuMs)),
      firstMs: median(samples.map(({ firstMs }) => firstMs)),
      // Medians of the ratios within a round, for a machine that others use too.
      pairedRatio: median(times.map((ms, i) => ms / (reference[i]?.ms ?? Number.NaN))),
      shareOfBound: boundMs / best,
      samples,
    };
  });
  const own = rows.find(({ name }) => name === 'tessera')?.cpuMs ?? Number.NaN;
  const { batch, width, layers } = problem;
  console.log(`\n${name}: D=${width} L=${layers} batch ${batch}, ${prompt} + ${tokens} tokens, ${threads} threads\n`);
  const titles = ['runtime', 'tokens/s', 'best', 'ms a token', 'min', 'cpu ms', 'first ms', 'ratio', '% of bound'];
  const fixed = (x: number, digits = 0) => (Number.isNaN(x) ? '-' : x.toFixed(digits));
  const cells = rows.map((row) => [
    row.name,
    ...[row.tokensPerSecond, row.bestTokensPerSecond].map((x) => fixed(x)),
    ...[row.medianMs, row.minMs, row.cpuMs].map((x) => fixed(x, 2)),
    fixed(row.firstMs),
    fixed(row.pairedRatio, 2),
    fixed(100 * row.shareOfBound),
  ]);
  console.log(formatTable(titles, cells));
  console.log(
    `bound: ${(bytes / 1e6).toFixed(0)} MB of weights in bare products, ${fixed(boundMs, 2)} ms, ` +
      `${fixed(bytes / boundMs / 1e6, 1)} GB/s; by processor time ${fixed(boundCpuMs, 2)} ms, ${fixed((100 * boundCpuMs) / own)} %`,
  );
  const { sessionsBuilt, hostCopyBytes } = reference.at(-1) ?? {};
  if (sessionsBuilt !== undefined)
    console.log(`tessera: ${sessionsBuilt} sessions built, ${hostCopyBytes} bytes copied a token`);
  console.log(agreement(entrants));
  for (const one of absent) console.log(`not measured: ${JSON.stringify(one)}`);
  return { name, problem, bytes, boundMs, boundCpuMs, absent, runtimes: rows };
}

/** Whether all runtimes gave the same tokens. */
function agreement(entrants: readonly Entrant[]): string {
  const [first, ...others] = entrants.map(({ peer, samples }) => ({ name: peer.name, ids: samples.at(-1)?.ids ?? [] }));
  const all = first?.ids.flat().length ?? 0;
  return others
    .map(({ name, ids }) => {
      const flat = ids.flat();
      const same = (first?.ids.flat() ?? []).filter((id, i) => id === flat[i]).length;
      return `${name}: ${same} of ${all} tokens as ${first?.name}`;
    })
    .join('; ');
}

function commandOf(name: PeerName, folder: string, problem: DecodeProblem, against: string | undefined): PeerCommand {
  const cwd = against ?? fileURLToPath(new URL('..', import.meta.url));
  if (name === 'transformers') {
    const args = ['bench/peers/torch_generate.py', JSON.stringify([folder, problem, threads, prompts(problem)])];
    return { name, command: process.env.TESSERA_PYTHON ?? 'python3', args, cwd };
  }
  const [, variant = 'c-api'] = name.split('-');
  const settings = [folder, problem, threads, ...(variant.startsWith('int') ? ['c-api', variant] : [variant])];
  return {
    name: against ? `${name} in ${against}` : name,
    command: process.execPath,
    args: ['--import', 'tsx', 'bench/peers/decode.ts', JSON.stringify(settings)],
    cwd,
  };
}

function pick<T extends string>(option: string, value: string, known: readonly T[]): T {
  if ((known as readonly string[]).includes(value)) return value as T;
  console.error(`--${option}: expected one of ${known.join(', ')}, got ${value}`);
  process.exit(2);
}
