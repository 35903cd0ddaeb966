import type { Target } from '../../onnx/index.ts';
import { FATAL_ONLY, sessionConfig } from '../defaults.ts';
import type { Backend, Engine, Session, SessionOptions } from '../engine.ts';
import { refusal } from '../faults.ts';
import { Ledger } from '../ledger.ts';
import type { Ort, OrtSession } from './ort.ts';
import { BindingSession } from './session.ts';

/** How an npm package of ONNX Runtime is used. */
export interface BindingSetup {
  readonly ort: Ort;
  readonly name: Backend;
  readonly target: Target;
  readonly version: string;
  readonly threads: number;
  /** Keeps a refused model and says where; without it the model is lost. */
  readonly keepRefused?: (model: Uint8Array, name: string) => string | undefined;
}

/** An engine on an npm package: it copies every output and may block the event loop while it runs. */
export function bindingEngine(setup: BindingSetup): Engine {
  const { name, target, version, threads } = setup;
  setup.ort.env.logLevel = 'fatal';
  const ledger = new Ledger();
  return {
    name,
    target,
    version,
    threads,
    canOverlap: false,
    ledger,
    createSession: (model, options = {}) => createSession(setup, ledger, model, { threads, ...options }),
  };
}

async function createSession(
  { ort, target, keepRefused }: BindingSetup,
  ledger: Ledger,
  model: Uint8Array,
  options: SessionOptions,
): Promise<Session> {
  const name = options.name ?? 'model';
  let inner: OrtSession;
  try {
    inner = await ort.InferenceSession.create(model, {
      executionProviders: [target],
      ...(options.threads !== undefined && { intraOpNumThreads: options.threads }),
      enableMemPattern: false,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      logSeverityLevel: FATAL_ONLY,
      extra: nested(sessionConfig),
    });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw refusal(keepRefused?.(model, name), name, text, error);
  }
  try {
    return new BindingSession(ort, ledger, inner, name, model.byteLength);
  } catch (error) {
    await inner.release();
    throw error;
  }
}

/** The packages take the entry `a.b: v` as `{a: {b: v}}`. */
function nested(config: Readonly<Record<string, string>>): Record<string, Record<string, string>> {
  const groups: Record<string, Record<string, string>> = {};
  for (const [path, value] of Object.entries(config)) {
    const [group, name] = path.split('.') as [string, string];
    groups[group] = { ...groups[group], [name]: value };
  }
  return groups;
}
