import type { Log } from '../base/index.ts';
import { TesseraError } from '../base/index.ts';
import type { Evaluation } from '../eval/index.ts';
import type { Split, WorldManifest } from '../world/index.ts';
import type { Plan } from './plan.ts';

/** How far something is, for a bar or a log line. */
export interface Progress {
  /** What is being done, such as `stage align` or `pope random`. */
  readonly label: string;
  readonly done: number;
  readonly total: number;
  /** What is counted; steps when absent. */
  readonly unit?: string;
  /** Numbers worth seeing now: loss, lr, grad_norm, … */
  readonly numbers: Readonly<Record<string, number>>;
}

/** What long work tells its caller, and how the caller stops it. */
export interface Hooks {
  readonly signal: AbortSignal;
  readonly log: Log;
  progress(progress: Progress): void;
}

export interface TrainResult {
  /** The run folder. */
  readonly folder: string;
  /** `interrupted` when the signal stopped it; the folder can then be resumed. */
  readonly status: 'done' | 'interrupted';
  readonly stages: readonly {
    readonly name: string;
    readonly steps: number;
    readonly seconds: number;
    readonly loss: number;
    /** Numbers of parameters trained, and in all. */
    readonly trained: number;
    readonly parameters: number;
  }[];
  readonly seconds: number;
  readonly eval?: EvalResult;
}

export interface EvalOptions {
  readonly tasks: readonly string[];
  /** Pictures of each task. */
  readonly limit?: number;
  /** Also with pictures shuffled between questions, to see what the answers owe to them. */
  readonly blind: boolean;
  /** A folder of questions and pictures in the place of the tabletop world's. */
  readonly data?: string;
}

export interface EvalResult {
  readonly evaluation: Evaluation;
  /** The HTML report. */
  readonly report: string;
}

export interface SampleOptions {
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly maxTokens: number;
  readonly seed: number;
  readonly stop: readonly string[];
}

export interface Answer {
  readonly text: string;
  readonly promptTokens: number;
  readonly tokens: number;
  readonly finish: 'stop' | 'length' | 'aborted';
}

export interface TokenScore {
  readonly id: number;
  readonly text: string;
  /** Natural logarithm of its probability given everything before it. */
  readonly logProb: number;
}

/** A loaded model that answers. `say` keeps the conversation; `forget` begins a new one. */
export interface Chat {
  say(
    turn: { readonly text: string; readonly images: readonly string[] },
    options: SampleOptions & { readonly signal: AbortSignal; onText(text: string): void },
  ): Promise<Answer>;
  forget(): void;
  close(): Promise<void>;
}

export interface ExportOptions {
  readonly to: 'hf' | 'onnx';
  readonly out: string;
  readonly dtype: 'float32' | 'float16' | 'bfloat16';
  /** Adds adapters into the weights they stand beside. */
  readonly merge: boolean;
}

/**
 * Trains every stage of a plan into its run folder, then evaluates. With `resume` it goes on where the folder stops;
 * without, a folder that holds a run is a fault.
 */
export async function trainPlan(
  _plan: Plan,
  _options: { readonly resume: boolean },
  _hooks: Hooks,
): Promise<TrainResult> {
  return notYet('training');
}

/** Goes on with a run folder from its last good checkpoint. */
export async function resumeRun(_folder: string, _hooks: Hooks): Promise<TrainResult> {
  return notYet('resuming');
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

/** What `data report` counts: rows kept, and rows refused by reason. */
export interface DataCounts {
  readonly source: string;
  readonly kept: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly examples: readonly string[];
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
