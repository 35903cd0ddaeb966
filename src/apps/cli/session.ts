import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { Log } from '../../base/index.ts';
import { type Fault, formatFault, silentLog, stderrLog, TesseraError } from '../../base/index.ts';
import { spelled } from './called.ts';
import { remedyOf } from './remedies.ts';
import type { Bar } from './terminal/progress.ts';
import { openBar } from './terminal/progress.ts';
import { wrapLines } from './terminal/wrap.ts';

export const exitCodes = { done: 0, fault: 1, usage: 2, interrupted: 130 } as const;

/** Ends a verb that has already said all there is to say, with this exit code. */
export class Stopped extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('stopped');
    this.exitCode = exitCode;
  }
}

const stops: readonly string[] = ['data/stopped', 'eval/interrupted', 'runtime/cancelled'];

/** Whether work ended because its user wanted no more of it, which is nothing to report as a fault. */
export function wasStopped(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  return error === signal.reason || (error instanceof TesseraError && stops.includes(error.code));
}

/** What every verb has: where to print, how to tell progress, and whether the user wants it to stop. */
export interface Session {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Prints a result: as text, or with `--json` the data. */
  result(data: unknown, text: () => string): void;
  fault(error: TesseraError): void;
  /** Runs long work with a progress bar, which is gone when the work ends. */
  watch<T>(work: (hooks: { signal: AbortSignal; log: Log; progress: Bar['show'] }) => Promise<T>): Promise<T>;
  close(): void;
}

/** The signal that stopped the work, if one did. */
let stoppedBy: NodeJS.Signals = 'SIGINT';

/** As shells count: 128 and the number of the signal. */
function stoppedCode(name: NodeJS.Signals): number {
  return 128 + (constants.signals[name] ?? 2);
}

/** The exit code of stopped work, by what stopped it. */
export function interruptedCode(): number {
  return stoppedCode(stoppedBy);
}

/** Signals that save and end; a closed terminal does not where the caller, such as `nohup`, has it ignored. */
function endingSignals(): readonly NodeJS.Signals[] {
  return ignoresHangUp() ? ['SIGINT', 'SIGTERM'] : ['SIGINT', 'SIGTERM', 'SIGHUP'];
}

function ignoresHangUp(): boolean {
  try {
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
    return (BigInt(`0x${mask}`) & 1n) === 1n;
  } catch {
    return false;
  }
}

/** Reads the options that all verbs share off the raw arguments, so that even a faulty command line is answered in JSON. */
export function openSession(args: readonly string[]): Session {
  const own = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  const json = own.includes('--json');
  const quiet = own.includes('--quiet');
  const abort = new AbortController();
  const onInterrupt = (name: NodeJS.Signals) => {
    if (abort.signal.aborted) process.exit(stoppedCode(name));
    stoppedBy = name;
    process.stderr.write(name === 'SIGINT' ? '\nstopping; press Ctrl-C again to stop at once\n' : '\nstopping\n');
    abort.abort();
  };
  const signals = endingSignals();
  for (const name of signals) process.on(name, onInterrupt);
  const fault = (error: TesseraError) =>
    void process.stderr.write(`${json ? JSON.stringify({ error: followable(error) }) : faultText(error)}\n`);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // A reader such as `head` that has seen enough is no fault.
    if (error.code === 'EPIPE') process.exit(abort.signal.aborted ? exitCodes.interrupted : exitCodes.done);
    fault(unwritten(error));
    process.exit(exitCodes.fault);
  });
  // Work goes on, and is saved, when nobody reads how far it is: Ctrl-C ends the `tee` of a pipe as well.
  process.stderr.on('error', () => {});
  return {
    json,
    quiet,
    signal: abort.signal,
    log: quiet ? silentLog : spelledLog(stderrLog),
    result: (data, text) => void process.stdout.write(`${json ? JSON.stringify(data) : text()}\n`),
    fault,
    watch: async (work) => {
      const bar = openBar(process.stderr, quiet);
      const log: Log = quiet
        ? silentLog
        : spelledLog({ info: bar.note, warn: (message) => bar.note(`warning: ${message}`) });
      try {
        return await work({ signal: abort.signal, log, progress: bar.show });
      } finally {
        bar.close();
      }
    },
    close: () => {
      for (const name of signals) process.off(name, onInterrupt);
    },
  };
}

function unwritten(cause: Error): TesseraError {
  const fault = { code: 'cli/output', message: 'the result could not be written to standard output' };
  const remedy = 'make room there, or send it somewhere else';
  return new TesseraError({ ...fault, got: cause.message, remedy }, { cause });
}

/** A log whose commands can be typed as they stand. */
function spelledLog(log: Log): Log {
  return { info: (message) => log.info(spelled(message)), warn: (message) => log.warn(spelled(message)) };
}

/** A fault with a remedy, whose commands can be typed as they stand. */
function followable(fault: Fault): Fault {
  const { code, message, path, expected, got } = fault;
  const remedy = remedyOf(fault);
  const others = fault instanceof TesseraError ? fault.others.map(followable) : [];
  return {
    code,
    message,
    ...(path !== undefined && { path }),
    ...(expected !== undefined && { expected: spelled(expected) }),
    ...(got !== undefined && { got }),
    ...(remedy !== undefined && { remedy: spelled(remedy) }),
    ...(others.length > 0 && { others }),
  };
}

/** Lines wrapped between words to the width of the terminal, below where their text begins. */
function fitted(text: string): string {
  const columns = process.stderr.isTTY ? process.stderr.columns : undefined;
  return columns ? wrapLines(text, columns) : text;
}

function faultText(error: TesseraError): string {
  const faults = [error, ...error.others].map((fault) => fitted(`error: ${formatFault(followable(fault))}`));
  // A defect is for its mender, who needs to know where it was.
  const stack = error.code === 'cli/defect' && error.cause instanceof Error ? [error.cause.stack ?? ''] : [];
  return [...faults, ...stack].join('\n');
}
