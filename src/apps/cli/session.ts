import type { Log } from '../../base/index.ts';
import { formatFault, silentLog, stderrLog, TesseraError } from '../../base/index.ts';
import type { Bar } from './terminal/progress.ts';
import { openBar } from './terminal/progress.ts';

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

/** Reads the options that all verbs share off the raw arguments, so that even a faulty command line is answered in JSON. */
export function openSession(args: readonly string[]): Session {
  const own = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  const json = own.includes('--json');
  const quiet = own.includes('--quiet');
  const abort = new AbortController();
  const onInterrupt = () => {
    if (abort.signal.aborted) process.exit(exitCodes.interrupted);
    process.stderr.write('\nstopping; press Ctrl-C again to stop at once\n');
    abort.abort();
  };
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onInterrupt);
  const fault = (error: TesseraError) =>
    void process.stderr.write(`${json ? JSON.stringify({ error }) : faultText(error)}\n`);
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
    log: quiet ? silentLog : stderrLog,
    result: (data, text) => void process.stdout.write(`${json ? JSON.stringify(data) : text()}\n`),
    fault,
    watch: async (work) => {
      const bar = openBar(process.stderr, quiet);
      const log: Log = quiet
        ? silentLog
        : { info: (message) => bar.note(message), warn: (message) => bar.note(`warning: ${message}`) };
      try {
        return await work({ signal: abort.signal, log, progress: bar.show });
      } finally {
        bar.close();
      }
    },
    close: () => {
      process.off('SIGINT', onInterrupt);
      process.off('SIGTERM', onInterrupt);
    },
  };
}

function unwritten(cause: Error): TesseraError {
  const fault = { code: 'cli/output', message: 'the result could not be written to standard output' };
  const remedy = 'make room there, or send it somewhere else';
  return new TesseraError({ ...fault, got: cause.message, remedy }, { cause });
}

function faultText(error: TesseraError): string {
  const faults = [error, ...error.others].map((fault) => `error: ${formatFault(fault)}`);
  // A defect is for its mender, who needs to know where it was.
  const stack = error.code === 'cli/defect' && error.cause instanceof Error ? [error.cause.stack ?? ''] : [];
  return [...faults, ...stack].join('\n');
}
