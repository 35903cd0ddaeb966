import { existsSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { TesseraError } from '../base/index.ts';
import { isAlive } from '../files/index.ts';

/** A folder that one process at a time may write in. */
interface Claimed {
  readonly path: string;
  /** Which process does, while one does. */
  readonly claim: string;
}

/** Milliseconds between signs of life, which other machines of a shared disk go by. */
const BEAT = 10_000;

/** Who trains in a run folder, for as long as it does. */
interface Claim {
  readonly process: number;
  readonly host: string;
}

/**
 * Takes a run folder for this process, so that no two write into it; the claim of a process that is gone counts for
 * nothing.
 * @returns what gives it back
 * @throws TesseraError `run/in-use`
 */
export function claimRun(run: Claimed): () => void {
  const other = readClaim(run);
  if (other && lives(other, run)) {
    throw new TesseraError({
      code: 'run/in-use',
      message: 'another process is at work in this folder',
      path: run.path,
      got: `process ${other.process} on ${other.host}`,
      remedy: `stop it first; if there is no such process, remove ${run.claim}`,
    });
  }
  const own: Claim = { process: process.pid, host: hostname() };
  writeFileSync(run.claim, `${JSON.stringify(own)}\n`);
  const beat = setInterval(() => existsSync(run.claim) && utimesSync(run.claim, new Date(), new Date()), BEAT);
  beat.unref();
  return () => {
    clearInterval(beat);
    rmSync(run.claim, { force: true });
  };
}

/** Whether a process is training in the folder now. */
export function isRunning(run: Claimed): boolean {
  const claim = readClaim(run);
  return claim !== undefined && (lives(claim, run) || claim.process === process.pid);
}

function readClaim(run: Claimed): Claim | undefined {
  try {
    return JSON.parse(readFileSync(run.claim, 'utf8')) as Claim;
  } catch {
    // There is none, or its writer died over it.
    return undefined;
  }
}

/** A process of this machine is looked up; one of another must have given a sign of late. */
function lives({ process: id, host }: Claim, run: Claimed): boolean {
  if (host !== hostname()) return Date.now() - statSync(run.claim).mtimeMs < 6 * BEAT;
  // A new process of a restarted container often has the number of the one that died.
  return id !== process.pid && isAlive(id);
}
