import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Random, TesseraError } from '../../src/base/index.ts';
import type { Files, Target } from './target.ts';

/** Most memory that a case may add to the largest that the process ever had, in bytes. */
const largestGrowth = 512 << 20;
/** Longest that a case may take, in milliseconds of the processor. */
const longestCase = 8000;

/** What became of a case: the code of its error or `accepted`; `broken` says what must not be. */
export interface Outcome {
  readonly code: string;
  readonly broken?: string;
}

/** The files of a case. */
export function makeCase(target: Target, seed: number, index: number): Files {
  return target.make(new Random(seed, 'fuzz', target.name, index));
}

/** Makes a case, reads it, and judges what happened. `place` is a folder for its files. */
export async function runCase(target: Target, seed: number, index: number, place: string): Promise<Outcome> {
  const files = makeCase(target, seed, index);
  if (target.onDisk) writeFiles(files, place);
  const started = performance.now();
  const outcome = await judge(target, files, place);
  // To ask the system takes longer than most cases, and what is quick cannot have taken much.
  return performance.now() - started < 100 ? outcome : measured(outcome, () => judge(target, files, place));
}

let largestSeen = process.resourceUsage().maxRSS;

/** Looks at what a slow case took: its memory, and, run once more, the time of the processor alone. */
async function measured(outcome: Outcome, again: () => Promise<Outcome>): Promise<Outcome> {
  const before = process.resourceUsage();
  const grown = (before.maxRSS - largestSeen) * 1024;
  largestSeen = before.maxRSS;
  if (grown > largestGrowth) return { ...outcome, broken: `took ${Math.round(grown / 2 ** 20)} MiB` };
  await again();
  const after = process.resourceUsage();
  const spent = (after.userCPUTime + after.systemCPUTime - before.userCPUTime - before.systemCPUTime) / 1000;
  return spent > longestCase ? { ...outcome, broken: `took ${Math.round(spent)} ms` } : outcome;
}

export function writeFiles(files: Files, place: string): void {
  rmSync(place, { recursive: true, force: true });
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(place, name)), { recursive: true });
    writeFileSync(join(place, name), bytes);
  }
}

async function judge(target: Target, files: Files, place: string): Promise<Outcome> {
  try {
    const read = (await target.read(files, place)) ?? null;
    if (Object.keys(Object.prototype).length > 0) return { code: 'accepted', broken: 'changed every object' };
    if (target.verdict?.(files, read) === false) return { code: 'accepted', broken: 'accepted against the rules' };
    return { code: 'accepted' };
  } catch (error) {
    if (!(error instanceof TesseraError)) return { code: 'crashed', broken: crash(error) };
    const { code, message, path, expected, got, remedy } = error;
    const told = /^[a-z0-9-]+\/[a-z0-9-]+$/.test(code) && message !== '' && (path ?? expected ?? got ?? remedy);
    if (!told) return { code, broken: `says too little: ${code} ${message}` };
    if (target.verdict?.(files, undefined) === true) return { code, broken: 'refused though the rules allow it' };
    return { code };
  }
}

function crash(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 4).join(' ') : String(error);
}
