import { availableParallelism } from 'node:os';
import { asTesseraError, type Log, stderrLog, TesseraError } from '../base/index.ts';
import { openBindingEngine } from './binding/open.ts';
import { openNativeEngine } from './c-api/engine.ts';
import type { Engine, NodeBackend } from './engine.ts';
import { selfCheck } from './self-check.ts';

const backends: readonly NodeBackend[] = ['c-api', 'binding', 'webgpu'];

export interface EngineOptions {
  /** `auto` takes the C API and falls back to the binding, unless the variable TESSERA_ENGINE names one. */
  readonly backend?: NodeBackend | 'auto';
  /** Threads within an operator; as many as the machine has by default. */
  readonly threads?: number;
  readonly log?: Log;
  /** Shared library of ONNX Runtime; the one of the npm package by default. */
  readonly library?: string;
}

/**
 * Opens an engine. The C API must pass a self-check first; in mode `auto` a failure leads to the npm binding, with one
 * line in the log.
 * @throws TesseraError `runtime/no-engine` when no back end works.
 * @example const engine = await openEngine({ threads: 2 });
 */
export async function openEngine(options: EngineOptions = {}): Promise<Engine> {
  const threads = checkThreads(options.threads ?? availableParallelism());
  const backend = chosenBackend(options.backend ?? 'auto');
  if (backend === 'binding' || backend === 'webgpu') return openBindingEngine(backend, threads);
  if (backend === 'c-api') return openChecked(threads, options.library);
  try {
    return await openChecked(threads, options.library);
  } catch (error) {
    return fallBack(threads, options.log ?? stderrLog, error);
  }
}

async function openChecked(threads: number, library: string | undefined): Promise<Engine> {
  await selfCheck(await openNativeEngine(threads, library));
  return openNativeEngine(threads, library);
}

async function fallBack(threads: number, log: Log, reason: unknown): Promise<Engine> {
  const { message } = asTesseraError(reason, { code: 'runtime/library' });
  try {
    const engine = await openBindingEngine('binding', threads);
    log.warn(`running on the npm binding, which is slower, because the C API of ONNX Runtime failed: ${message}`);
    return engine;
  } catch (cause) {
    const other = asTesseraError(cause, { code: 'runtime/binding' });
    const fault = {
      code: 'runtime/no-engine',
      message: `ONNX Runtime cannot be used: ${message}; ${other.message}`,
      remedy: 'run npm ci on a platform that onnxruntime-node supports',
    };
    throw new TesseraError(fault, { cause });
  }
}

function chosenBackend(asked: NodeBackend | 'auto'): NodeBackend | 'auto' {
  const forced = process.env.TESSERA_ENGINE;
  if (asked !== 'auto' || !forced) return asked;
  const named = backends.find((backend) => backend === forced);
  if (named) return named;
  throw new TesseraError({
    code: 'runtime/backend',
    message: 'TESSERA_ENGINE names no back end',
    path: 'TESSERA_ENGINE',
    expected: backends.join(', '),
    got: forced,
  });
}

function checkThreads(threads: number): number {
  if (Number.isInteger(threads) && threads > 0) return threads;
  throw new TesseraError({
    code: 'runtime/threads',
    message: 'the number of threads is no positive integer',
    expected: 'at least 1',
    got: `${threads}`,
  });
}
