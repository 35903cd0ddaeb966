// Feeds spoilt files to every reader. Each case ends with an answer or with one clear error; what crashes, hangs, takes
// too much memory or is accepted against the rules is kept as files, and the exit code is 1.
// npm run fuzz -- [--cases 300] [--seed 0] [--target safetensors] [--from 0] [--keep fuzz-failures]
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeCase, runCase, writeFiles } from '../test/fuzz/run.ts';
import type { Target } from '../test/fuzz/target.ts';
import { targets } from '../test/fuzz/targets.ts';

/** Longest that a case may go on by the clock before its process is ended. */
const longestCase = 60_000;

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '300' },
    seed: { type: 'string', default: '0' },
    from: { type: 'string', default: '0' },
    target: { type: 'string' },
    keep: { type: 'string', default: 'fuzz-failures' },
    worker: { type: 'string' },
  },
});
const [cases, seed, from] = [Number(values.cases), Number(values.seed), Number(values.from)];
const chosen = targets.filter(({ name }) => values.target === undefined || values.target.split(',').includes(name));

interface Failure {
  readonly index: number;
  readonly why: string;
}

/** How far a worker is and what it found; kept in a file, because a case may take its process down. */
interface Tally {
  readonly counts: Record<string, number>;
  readonly failures: Failure[];
}

if (values.worker !== undefined) await work(chosen[0] as Target, values.worker);
else await supervise();

/** Runs the cases of one target, telling in a file which one it is at. */
async function work(target: Target, place: string): Promise<void> {
  const at = openSync(join(place, 'at'), 'w');
  const tally: Tally = { counts: {}, failures: [] };
  const number = Buffer.alloc(8);
  const save = () => writeFileSync(join(place, 'tally.json'), JSON.stringify(tally));
  const started = performance.now();
  let told = started;
  for (let index = from; index < cases; index++) {
    number.writeDoubleLE(index);
    writeSync(at, number, 0, 8, 0);
    const { code, broken } = await runCase(target, seed, index, join(place, 'case'));
    tally.counts[code] = (tally.counts[code] ?? 0) + 1;
    if (broken !== undefined) tally.failures.push({ index, why: broken });
    if (broken !== undefined || index % 1000 === 999) save();
    if (performance.now() - told < 2000) continue;
    told = performance.now();
    const rate = Math.round(((index + 1 - from) * 1000) / (told - started));
    process.stderr.write(`\r${target.name}: ${index + 1} of ${cases}, ${rate} a second   `);
  }
  save();
  closeSync(at);
}

/** Runs every target in processes of its own; one that hangs or dies is begun again after the case it died of. */
async function supervise(): Promise<void> {
  const failed: string[] = [];
  for (const target of chosen) {
    const began = performance.now();
    const total: Tally = { counts: {}, failures: [] };
    for (let next = from; next < cases; ) next = await runWorker(target, next, total);
    const seconds = (performance.now() - began) / 1000;
    const done = Object.values(total.counts).reduce((sum, count) => sum + count, 0);
    process.stderr.write('\r'.padEnd(70));
    console.log(`\n${target.name}: ${done} cases in ${seconds.toFixed(1)} s, ${Math.round(done / seconds)} a second`);
    for (const [code, count] of Object.entries(total.counts).sort(([, a], [, b]) => b - a)) {
      console.log(`  ${String(count).padStart(8)}  ${code}`);
    }
    for (const failure of total.failures.slice(0, 20)) failed.push(keep(target, failure));
    if (total.failures.length > 0) console.log(`  ${total.failures.length} of them must not be`);
  }
  for (const line of failed) console.log(line);
  process.exitCode = failed.length > 0 ? 1 : 0;
}

/** Runs a worker from a case on, adds what it found, and gives the case to go on with. */
async function runWorker(target: Target, next: number, total: Tally): Promise<number> {
  const place = mkdtempSync(join(tmpdir(), 'tessera-fuzz-'));
  try {
    const end = await watch(target, next, place);
    const tally = readTally(place);
    for (const [code, count] of Object.entries(tally.counts)) total.counts[code] = (total.counts[code] ?? 0) + count;
    total.failures.push(...tally.failures);
    if (end === undefined) return cases;
    const index = position(place) ?? next;
    total.counts[end] = (total.counts[end] ?? 0) + 1;
    total.failures.push({ index, why: end });
    return index + 1;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** Waits for a worker; says `hung` or `died` when it did not come to its end. */
function watch(target: Target, next: number, place: string): Promise<'hung' | 'died' | undefined> {
  const own = [
    '--target',
    target.name,
    '--from',
    `${next}`,
    '--worker',
    place,
    '--cases',
    `${cases}`,
    '--seed',
    `${seed}`,
  ];
  const worker = spawn(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), ...own], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return new Promise((resolve) => {
    let [seen, since, hung] = [undefined as number | undefined, performance.now(), false];
    const timer = setInterval(() => {
      const now = position(place);
      if (now !== seen) [seen, since] = [now, performance.now()];
      else if (performance.now() - since > longestCase) {
        hung = true;
        worker.kill('SIGKILL');
      }
    }, 500);
    worker.on('exit', (code) => {
      clearInterval(timer);
      resolve(hung ? 'hung' : code === 0 ? undefined : 'died');
    });
  });
}

function position(place: string): number | undefined {
  try {
    const bytes = readFileSync(join(place, 'at'));
    return bytes.length === 8 ? bytes.readDoubleLE(0) : undefined;
  } catch {
    return undefined;
  }
}

function readTally(place: string): Tally {
  try {
    return JSON.parse(readFileSync(join(place, 'tally.json'), 'utf8')) as Tally;
  } catch {
    return { counts: {}, failures: [] };
  }
}

/** Keeps the files of a case that went wrong. */
function keep(target: Target, { index, why }: Failure): string {
  const folder = join(values.keep, `${target.name}-${seed}-${index}`);
  writeFiles(makeCase(target, seed, index), folder);
  return `${folder}: ${why}`;
}
