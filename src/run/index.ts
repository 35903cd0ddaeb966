import type { Comparison } from '../eval/index.ts';
import type { Grid, Plan } from '../recipe/index.ts';
import type { Split, WorldManifest } from '../world/index.ts';
import type { DemoOptions, DemoResult } from './demo/types.ts';
import type { CellOutlook, GridResult } from './grid/grid.ts';
import type { Inspection } from './inspect.ts';
import type { RunSummary } from './overview/summary.ts';
import type {
  DataCounts,
  EvalOptions,
  EvalResult,
  ExportOptions,
  FeedbackResult,
  Hooks,
  StageMemory,
  TrainResult,
} from './types.ts';

export type * from './demo/types.ts';
export type { CellOutlook, GridResult } from './grid/grid.ts';
export type { RunSummary } from './overview/summary.ts';
export type * from './types.ts';

/** Trains every stage of a plan into its run folder, then evaluates; see `run/train.ts`. */
export async function trainPlan(plan: Plan, options: { readonly resume: boolean }, hooks: Hooks): Promise<TrainResult> {
  return (await import('./train.ts')).trainPlan(plan, options, hooks);
}

/** Goes on with a run folder from its last good checkpoint. */
export async function resumeRun(folder: string, hooks: Hooks): Promise<TrainResult> {
  return (await import('./train.ts')).resumeRun(folder, hooks);
}

/** Shows a trained model, trains another, and measures it; see `run/demo/demo.ts`. */
export async function runDemo(options: DemoOptions, hooks: Hooks): Promise<DemoResult> {
  return (await import('./demo/demo.ts')).runDemo(options, hooks);
}

/** The runs among the given folders and right below them, the one that wrote last first. */
export async function listRuns(folders: readonly string[]): Promise<readonly RunSummary[]> {
  return (await import('./overview/list.ts')).listRuns(folders);
}

/** Runs side by side: settings that differ, scores, curves. */
export async function compareRuns(folders: readonly string[]): Promise<Comparison> {
  return (await import('./overview/compare.ts')).compareRuns(folders);
}

/** Evaluates a run folder or a Hugging Face folder. */
export async function evaluateModel(folder: string, options: EvalOptions, hooks: Hooks): Promise<EvalResult> {
  return (await import('./evaluate.ts')).evaluateModel(folder, options, hooks);
}

/** Makes the pair set of a recipe, or goes on with it; see `run/feedback.ts`. */
export async function makePairs(plan: Plan, hooks: Hooks): Promise<FeedbackResult> {
  return (await import('./feedback.ts')).makePairs(plan, hooks);
}

/** Runs the cells of a grid that are not finished and writes its table; see `run/grid/grid.ts`. */
export async function runGrid(grid: Grid, hooks: Hooks, most?: number): Promise<GridResult> {
  return (await import('./grid/grid.ts')).runGrid(grid, hooks, most);
}

/** The cells of a grid, and about how long each takes. */
export async function foretellGrid(grid: Grid): Promise<readonly CellOutlook[]> {
  return (await import('./grid/grid.ts')).foretellGrid(grid);
}

/** Writes a model for other tools; the files written. */
export async function exportModel(folder: string, options: ExportOptions): Promise<readonly string[]> {
  return (await import('./export.ts')).exportModel(folder, options);
}

/** Checks what training would refuse before its first step, and foretells the memory of every stage; trains nothing. */
export async function foretellMemory(
  plan: Plan,
  options: { readonly resume: boolean },
  hooks: Hooks,
): Promise<readonly StageMemory[]> {
  return (await import('./memory.ts')).foretellMemory(plan, options, hooks);
}

/** What a stage is going to take as a small table, in millions of bytes. */
export async function formatMemory({ memory, firstRows }: StageMemory): Promise<string> {
  return (await import('./memory.ts')).formatMemory(memory, firstRows);
}

/** Counts rows of every stage of a plan as training would keep or refuse them. */
export async function reportData(plan: Plan, hooks: Hooks): Promise<readonly DataCounts[]> {
  return (await import('./inspect.ts')).reportData(plan, hooks);
}

/** Rows as training sees them, rendered for reading, with a count of those refused; a fault when none is left. */
export async function inspectRows(
  plan: Plan,
  options: { readonly stage?: string; readonly rows: number; readonly colour: boolean },
  hooks: Hooks,
): Promise<Inspection> {
  return (await import('./inspect.ts')).inspectRows(plan, options, hooks);
}

export interface WorldSettings {
  readonly out: string;
  readonly split: Split;
  /** Number of scenes. */
  readonly count: number;
  readonly seed: number;
}

/** Writes a tabletop world: images, scenes and their annotation files. */
export async function makeWorld(settings: WorldSettings, hooks: Hooks): Promise<WorldManifest & { reused: boolean }> {
  const { writeWorld } = await import('../world/index.ts');
  const { out, ...request } = settings;
  return writeWorld(out, request, (done, total) => {
    // The world is written to a draft folder that is removed when this throws.
    hooks.signal.throwIfAborted();
    hooks.progress({ label: 'scenes', done, total, unit: 'scenes', numbers: {} });
  });
}
