import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

/**
 * Characters of a command line that ONNX Runtime bears: it searches the whole of it by recursion when it opens, and from
 * some 25,000 on that ends the process.
 */
const mostCharacters = 8_000;

/** Names the descriptor from which the arguments are read. */
const variable = 'TESSERA_ARGUMENTS';

/** The arguments of this process, be they on its command line or handed over by `withShortLine`. */
export function ownArguments(): string[] {
  const descriptor = process.env[variable];
  if (descriptor === undefined) return process.argv.slice(2);
  delete process.env[variable];
  return JSON.parse(readFileSync(Number(descriptor), 'utf8'));
}

/** Whether the command line is too long for the process that has it. */
export function isLong(args: readonly string[]): boolean {
  return process.argv.length > 2 && args.reduce((n, arg) => n + arg.length + 1, 0) > mostCharacters;
}

/** Runs the same command in a process whose command line is short, and gives its exit code. */
export function withShortLine(args: readonly string[]): Promise<number> {
  const [, script] = process.argv as [string, string];
  const child = spawn(process.execPath, [...process.execArgv, script], {
    env: { ...process.env, [variable]: '3' },
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
  });
  const pipe = child.stdio[3] as NodeJS.WritableStream;
  pipe.on('error', () => {});
  pipe.end(JSON.stringify(args));
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // The terminal sends Ctrl-C to both; the others go to this process alone.
    process.on(name, () => name !== 'SIGINT' && child.kill(name));
  }
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 1)));
  });
}
