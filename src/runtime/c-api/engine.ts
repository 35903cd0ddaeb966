import { FATAL_ONLY, sessionConfig } from '../defaults.ts';
import type { Engine, Session, SessionOptions } from '../engine.ts';
import { refusal } from '../faults.ts';
import { keepRefused } from '../keep-refused.ts';
import { Ledger } from '../ledger.ts';
import type { Pointer } from './functions.ts';
import { libraryPath, packageVersion } from './library.ts';
import { check, failureOf, type Handle, loadNative, type Native, own, pointerFrom, pointerTable } from './native.ts';
import { NativeSession } from './session.ts';

const SEQUENTIAL = 0;
const ALL_OPTIMIZATIONS = 99;

/** ONNX Runtime's C API, called by foreign-function interface: outputs land in place and runs leave the event loop free. */
export async function openNativeEngine(threads: number, library?: string): Promise<Engine> {
  const native = await loadNative(library ?? libraryPath(), packageVersion());
  const ledger = new Ledger();
  return {
    name: 'c-api',
    target: 'cpu',
    version: native.version,
    threads,
    canOverlap: true,
    ledger,
    createSession: (model, options = {}) => createSession(native, ledger, model, { threads, ...options }),
  };
}

async function createSession(
  native: Native,
  ledger: Ledger,
  model: Uint8Array,
  options: SessionOptions,
): Promise<Session> {
  const { api, env } = native;
  const name = options.name ?? 'model';
  const settings = sessionSettings(native, ledger, options);
  const slot = pointerTable([0n]);
  try {
    const status = await new Promise<Pointer | null>((resolve, reject) => {
      api.createSessionFromArray.async(env, model, model.byteLength, settings.pointer, slot, (error, result) =>
        error ? reject(error) : resolve(result),
      );
    });
    const text = failureOf(api, status);
    if (text !== undefined) throw refusal(keepRefused(model, name), name, text);
    return new NativeSession(native, ledger, slot[0] as Pointer, name, model.byteLength);
  } finally {
    settings.release();
  }
}

function sessionSettings(native: Native, ledger: Ledger, options: SessionOptions): Handle {
  const { api } = native;
  const pointer = pointerFrom(api, (slot) => api.createSessionOptions(slot));
  const settings = own(ledger, pointer, api.releaseSessionOptions);
  try {
    // A memory pattern is kept for each new shape and grows without end when sizes vary.
    check(api, api.disableMemPattern(pointer));
    check(api, api.setSessionExecutionMode(pointer, SEQUENTIAL));
    check(api, api.setSessionLogSeverityLevel(pointer, FATAL_ONLY));
    check(api, api.setSessionGraphOptimizationLevel(pointer, ALL_OPTIMIZATIONS));
    check(api, api.setIntraOpNumThreads(pointer, options.threads ?? 0));
    for (const [key, value] of Object.entries(sessionConfig)) {
      check(api, api.addSessionConfigEntry(pointer, key, value));
    }
    return settings;
  } catch (error) {
    settings.release();
    throw error;
  }
}
