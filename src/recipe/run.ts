import type { Log } from '../base/index.ts';
import { TesseraError } from '../base/index.ts';
import type { Split, WorldManifest } from '../world/index.ts';
import type { Plan } from './plan.ts';
import type {
  Chat,
  DataCounts,
  EvalOptions,
  EvalResult,
  ExportOptions,
  Hooks,
  TokenScore,
  TrainResult,
} from './run/types.ts';

export type * from './run/types.ts';

/** Trains every stage of a plan into its run folder, then evaluates; see `run/train.ts`. */
export async function trainPlan(plan: Plan, options: { readonly resume: boolean }, hooks: Hooks): Promise<TrainResult> {
  return (await import('./run/train.ts')).trainPlan(plan, options, hooks);
}

/** Goes on with a run folder from its last good checkpoint. */
export async function resumeRun(folder: string, hooks: Hooks): Promise<TrainResult> {
  return (await import('./run/train.ts')).resumeRun(folder, hooks);
}

/** Evaluates a run folder or a Hugging Face folder. */
export async function evaluateModel(_folder: string, _options: EvalOptions, _hooks: Hooks): Promise<EvalResult> {
  return notYet('evaluation');
}

/** Loads a run folder or a Hugging Face folder to talk to. */
export async function openChat(_folder: string, _hooks: Hooks): Promise<Chat> {
  return notYet('chatting');
}

/** Per-token log-probabilities of an answer to a prompt about pictures. */
export async function scoreAnswer(
  _folder: string,
  _row: { readonly prompt: string; readonly answer: string; readonly images: readonly string[] },
  _hooks: Hooks,
): Promise<readonly TokenScore[]> {
  return notYet('scoring');
}

/** Writes a run's model as a Hugging Face folder or as ONNX files; the paths written. */
export async function exportModel(_folder: string, _options: ExportOptions, _hooks: Hooks): Promise<readonly string[]> {
  return notYet('exporting');
}

/** Counts rows of every source of a plan as training would keep or refuse them. */
export async function reportData(_plan: Plan, _hooks: Hooks): Promise<readonly DataCounts[]> {
  return notYet('the data report');
}

/** Rows as training sees them, rendered for reading: tokens, picture spans and what is supervised. */
export async function inspectRows(
  _plan: Plan,
  _options: { readonly stage?: string; readonly rows: number; readonly colour: boolean },
  _hooks: Hooks,
): Promise<readonly { readonly text: string; readonly data: unknown }[]> {
  return notYet('inspecting rows');
}

export interface WorldSettings {
  readonly out: string;
  readonly split: Split;
  /** Number of scenes. */
  readonly count: number;
  readonly seed: number;
}

/** Writes a tabletop world: pictures, scenes and their annotation files. */
export async function makeWorld(settings: WorldSettings, hooks: Hooks): Promise<WorldManifest & { reused: boolean }> {
  const { writeWorld } = await import('../world/index.ts');
  const { out, ...request } = settings;
  return writeWorld(out, request, (done, total) => {
    // The world is written to a draft folder that is removed when this throws.
    hooks.signal.throwIfAborted();
    hooks.progress({ label: 'scenes', done, total, unit: 'scenes', numbers: {} });
  });
}

/** Opens the engine and tells what it is: `c-api` or `binding`, the version of ONNX Runtime, threads. */
export async function probeEngine(log: Log): Promise<{ name: string; version: string; threads: number }> {
  const { openEngine } = await import('../runtime/index.ts');
  const { name, version, threads } = await openEngine({ log });
  return { name, version, threads };
}

function notYet(what: string): never {
  throw new TesseraError({
    code: 'cli/not-yet',
    message: `${what} is not wired up yet`,
    remedy: '`tessera recipes` shows what works',
  });
}
