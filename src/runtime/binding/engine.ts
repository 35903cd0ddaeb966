import { asTesseraError, TesseraError } from '../../base/index.ts';
import { FATAL_ONLY, sessionConfig } from '../defaults.ts';
import type { Engine, Session, SessionOptions } from '../engine.ts';
import { Ledger } from '../ledger.ts';
import { refusal } from '../refusal.ts';
import { BindingSession, type Inner } from './session.ts';

export type Ort = typeof import('onnxruntime-node');

/** The npm binding: copies every output and blocks the event loop while it runs, but needs no foreign-function calls. */
export async function openBindingEngine(threads: number): Promise<Engine> {
  const ort = await loadBinding();
  const ledger = new Ledger();
  return {
    name: 'binding',
    version: ort.env.versions.node ?? 'unknown',
    threads,
    canRunSync: false,
    ledger,
    createSession: (model, options = {}) => createSession(ort, ledger, model, { threads, ...options }),
  };
}

async function loadBinding(): Promise<Ort> {
  try {
    const ort = await import('onnxruntime-node');
    ort.env.logLevel = 'fatal';
    return ort;
  } catch (error) {
    throw asTesseraError(error, { code: 'runtime/binding', remedy: 'run npm ci' });
  }
}

async function createSession(ort: Ort, ledger: Ledger, model: Uint8Array, options: SessionOptions): Promise<Session> {
  const name = options.name ?? 'model';
  const level = options.optimization ?? 'all';
  let inner: Inner;
  try {
    inner = await ort.InferenceSession.create(model, {
      ...(options.threads !== undefined && { intraOpNumThreads: options.threads }),
      enableMemPattern: false,
      executionMode: 'sequential',
      graphOptimizationLevel: level === 'none' ? 'disabled' : level,
      logSeverityLevel: FATAL_ONLY,
      extra: nested(sessionConfig(options)),
    });
  } catch (error) {
    throw refusal(model, name, error instanceof Error ? error.message : String(error), error);
  }
  try {
    return new BindingSession(ort, ledger, inner, name, model.byteLength);
  } catch (error) {
    await inner.release();
    throw error;
  }
}

interface Nested {
  [key: string]: string | Nested;
}

/** The binding takes the entry `a.b: v` as `{a: {b: v}}`. */
function nested(config: Readonly<Record<string, string>>): Nested {
  const root: Nested = {};
  for (const [path, value] of Object.entries(config)) {
    const keys = path.split('.');
    const last = keys.pop() as string;
    let at = root;
    for (const key of keys) {
      const next = at[key] ?? {};
      if (typeof next === 'string') {
        throw new TesseraError({ code: 'runtime/config', message: 'one entry is the prefix of another', path });
      }
      at[key] = next;
      at = next;
    }
    at[last] = value;
  }
  return root;
}
