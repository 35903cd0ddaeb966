// Times one training step (forward, loss, backward, AdamW) of a LLaMA-style decoder in several runtimes, in turn.
//   node --import tsx bench/train-step.ts --config small --rounds 7 --peers tessera,torch
// The npm peers are installed by `npm install --prefix bench/peers`; PyTorch comes from the interpreter in TESSERA_PYTHON.
import { parseArgs } from 'node:util';
import { type Entrant, type EntrantName, enter, entrantNames, type StepSample } from './entrants.ts';
import { writeResults } from './harness/results.ts';
import { formatTable, median } from './harness/table.ts';
import { configs, productSizes, stepFlops } from './problem.ts';

interface Row {
  readonly entrant: Entrant;
  readonly samples: StepSample[];
  readonly productGflops: number;
}

const { values: options } = parseArgs({
  options: {
    config: { type: 'string', default: 'small' },
    rounds: { type: 'string', default: '7' },
    /** Steps of a runtime that needs more than ten seconds for one. */
    'slow-rounds': { type: 'string', default: '2' },
    threads: { type: 'string', default: '2' },
    peers: { type: 'string', default: entrantNames.join(',') },
    /** Folder of another checkout of tessera, to measure a change. */
    against: { type: 'string' },
  },
});
const config = configs[pick('config', options.config, Object.keys(configs) as (keyof typeof configs)[])];
const [rounds, slowRounds, threads] = [options.rounds, options['slow-rounds'], options.threads].map(Number) as [
  number,
  number,
  number,
];
const names = options.peers.split(',').map((name) => pick('peers', name, entrantNames));

const absent: { name: string; reason: string }[] = [];
const rows = await enterAll();
try {
  for (let round = 0; round < rounds; round++) await playRound(round);
  report();
} finally {
  for (const { entrant } of rows) entrant.stop();
}

async function enterAll(): Promise<Row[]> {
  const entered: Row[] = [];
  const wanted: [EntrantName, string?][] = names.map((name) => [name]);
  if (options.against !== undefined) wanted.push(['tessera', options.against]);
  for (const [name, against] of wanted) {
    process.stderr.write(`starting ${name}${against ? ` in ${against}` : ''}\n`);
    const entrant = await enter(name, config, threads, against);
    if (typeof entrant === 'string') absent.push({ name, reason: entrant });
    else entered.push({ entrant, samples: [], productGflops: await productRate(entrant) });
  }
  return entered;
}

/** Each runtime once, in alternating order, so that a disturbance meets all alike. */
async function playRound(round: number): Promise<void> {
  for (const { entrant, samples } of round % 2 ? [...rows].reverse() : rows) {
    const slow = (samples[0]?.ms ?? 0) > 10_000;
    if (!slow || samples.length < slowRounds) samples.push(await entrant.step());
  }
  process.stderr.write(`round ${round + 1} of ${rounds}\n`);
}

/** Multiply-adds of the model's own products, forward, counted twice a second. */
async function productRate(entrant: Entrant): Promise<number> {
  let [ms, flops] = [0, 0];
  for (const [m, k, n] of productSizes(config)) {
    ms += await entrant.matmul([m, k, n]);
    flops += 2 * m * k * n;
  }
  return flops / ms / 1e6;
}

function report(): void {
  const tokens = config.batch * config.length;
  const reference = rows.find(({ entrant }) => entrant.name === 'tessera')?.samples;
  const summary = rows.map(({ entrant, samples, productGflops }) => {
    const times = samples.map(({ ms }) => ms);
    const [middle, best] = [median(times), Math.min(...times)];
    return {
      name: entrant.name,
      about: entrant.about,
      scaled: entrant.scaled,
      medianMs: middle,
      minMs: best,
      cpuMs: median(samples.map(({ cpuMs }) => cpuMs)),
      tokensPerSecond: (tokens / middle) * 1000,
      gflops: stepFlops(config) / middle / 1e6,
      productGflops,
      /** How much of the rate of its bare products the whole step has. */
      ofBare: stepFlops(config) / middle / 1e6 / productGflops,
      ratio: reference && middle / median(reference.map(({ ms }) => ms)),
      // Medians of the ratios within a round, for a machine that others use too.
      pairedRatio: reference && median(times.map((ms, i) => ms / (reference[i]?.ms ?? Number.NaN))),
      samples,
    };
  });
  const fixed = (x: number | undefined, digits = 0) => (x === undefined || Number.isNaN(x) ? '-' : x.toFixed(digits));
  const header = [
    'runtime',
    'median ms',
    'min ms',
    'cpu ms',
    'tokens/s',
    'GFLOP/s',
    'bare',
    '% of bare',
    'ratio',
    'paired',
  ];
  const cells = summary.map((s) => [
    s.scaled ? `${s.name} *` : s.name,
    ...[s.medianMs, s.minMs, s.cpuMs, s.tokensPerSecond, s.gflops, s.productGflops, 100 * s.ofBare].map((x) =>
      fixed(x),
    ),
    ...[s.ratio, s.pairedRatio].map((x) => fixed(x, 2)),
  ]);
  console.log(`training step, ${options.config}: ${JSON.stringify(config)}, ${threads} threads, ${rounds} rounds\n`);
  console.log(formatTable(header, cells));
  for (const { name, about, scaled } of summary) {
    console.log(`${name}: ${about}${scaled ? '; * extrapolated from models of one and two layers' : ''}`);
  }
  for (const { name, reason } of absent) console.log(`${name}: not measured, ${reason}`);
  reportLedger();
  console.log(
    `losses after the last round: ${summary.map((s) => `${s.name} ${fixed(s.samples.at(-1)?.loss, 5)}`).join(', ')}`,
  );
  const path = writeResults(`train-step-${options.config}`, { config, threads, rounds, absent, runtimes: summary });
  console.log(`written to ${path}`);
}

function reportLedger(): void {
  for (const { entrant, samples } of rows.filter(({ entrant }) => entrant.name.startsWith('tessera'))) {
    const last = samples.at(-1);
    const megabytes = (Number(last?.hostCopyBytes) / 1e6).toFixed(1);
    console.log(
      `${entrant.name}, a step: ${last?.sessionsBuilt} sessions built, ${last?.hostCopies} host copies (${megabytes} MB), ` +
        `peak memory ${Number(last?.peakMb).toFixed(0)} MB`,
    );
  }
}

function pick<T extends string>(option: string, value: string, known: readonly T[]): T {
  if ((known as readonly string[]).includes(value)) return value as T;
  console.error(`--${option}: expected one of ${known.join(', ')}, got ${value}`);
  process.exit(2);
}
