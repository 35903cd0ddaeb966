import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { asTesseraError, type Fault } from '../../base/index.ts';
import { type Evaluation, keyScores, type Score as TaskScore } from '../../eval/index.ts';
import { filesWithin } from '../../files/index.ts';
import type { Plan, StagePlan } from '../../recipe/index.ts';
import { newestPosition } from '../checkpoints.ts';
import { isRunning } from '../claim.ts';
import { faultOf, planOfRun, type RunFolder, resultOf, runFolder } from '../folder.ts';
import { type MetricsRow, readMetrics } from '../metrics.ts';
import type { TrainResult } from '../types.ts';

/** A run at a glance. */
export interface RunSummary {
  readonly folder: string;
  readonly name: string;
  /** `failed` and `unreadable` come with the reason in `fault`. */
  readonly status: 'done' | 'running' | 'interrupted' | 'failed' | 'unreadable';
  readonly fault?: string;
  readonly system?: string;
  /** The stage of the last step. */
  readonly stage?: string;
  readonly step?: number;
  /** Steps of that stage, where the recipe says so. */
  readonly steps?: number;
  readonly loss?: number;
  readonly heldOutLoss?: number;
  /** The first headline score of each task: `pope random accuracy`. */
  readonly scores: readonly Score[];
  /** When the run last wrote, ISO 8601. */
  readonly updated: string;
  /** Spent in training. */
  readonly seconds: number;
  readonly bytes: number;
}

export interface Score {
  readonly task: string;
  readonly group: string;
  readonly metric: string;
  readonly better: 'high' | 'low' | 'neither';
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

/** What the files of a run say, all of them read. */
export interface RunFiles {
  readonly run: RunFolder;
  readonly plan: Plan;
  readonly metrics: readonly MetricsRow[];
  readonly evaluation?: Evaluation;
  /** Absent while training is not over. */
  readonly result?: TrainResult;
}

/** @throws TesseraError `run/no-run`, and what is wrong with any of the files. */
export function readRun(folder: string): RunFiles {
  const run = runFolder(folder);
  const plan = planOfRun(folder);
  const result = resultOf(run);
  return {
    run,
    plan,
    metrics: readMetrics(run.metrics),
    ...readEvaluation(run.evaluation),
    ...(result && { result }),
  };
}

function readEvaluation(path: string): { evaluation?: Evaluation } {
  if (!existsSync(path)) return {};
  try {
    return { evaluation: JSON.parse(readFileSync(path, 'utf8')) as Evaluation };
  } catch (error) {
    throw asTesseraError(error, { code: 'run/eval', path, remedy: 'evaluate again with `tessera eval`' });
  }
}

/** One line about a run. */
export function summaryOf(files: RunFiles): RunSummary {
  const { run, plan, evaluation, result } = files;
  return {
    ...diskUse(run.path),
    ...stateOf(run, result),
    system: plan.system,
    ...progressOf(files),
    scores: evaluation ? keyScores(evaluation).map(plainScore) : [],
    seconds: secondsOf(files),
  };
}

function stateOf(run: RunFolder, result: TrainResult | undefined): Pick<RunSummary, 'status' | 'fault'> {
  if (result) return { status: 'done' };
  if (isRunning(run)) return { status: 'running' };
  const fault = faultOf(run);
  return fault ? { status: 'failed', fault: said(fault) } : { status: 'interrupted' };
}

const said = ({ message, path }: Fault) => (path === undefined ? message : `${message} (${path})`);

/** One line about a run. A run that cannot be read is told as such, for one broken run must not hide the others. */
export function summarizeRun(folder: string): RunSummary {
  try {
    return summaryOf(readRun(folder));
  } catch (error) {
    const fault = said(asTesseraError(error, { code: 'run/unreadable' }));
    return { ...diskUse(folder), status: 'unreadable', fault, scores: [], seconds: 0 };
  }
}

function progressOf({ run, plan, metrics }: RunFiles) {
  const logged = metrics.findLast((row) => row.loss !== undefined);
  if (!logged) return {};
  const last = { ...logged, ...savedAfter(run, plan, logged) };
  const heldOut = metrics.findLast((row) => row.held_out_loss !== undefined)?.held_out_loss;
  const steps = plannedSteps(plan.stages.find(({ name }) => name === last.stage));
  return {
    stage: last.stage,
    step: last.step,
    ...(steps !== undefined && { steps }),
    ...(last.loss !== undefined && { loss: last.loss }),
    ...(heldOut !== undefined && { heldOutLoss: heldOut }),
  };
}

/** Where the run was saved, if that is later than its last line of metrics. */
function savedAfter(run: RunFolder, plan: Plan, logged: MetricsRow): Partial<Pick<MetricsRow, 'step' | 'loss'>> {
  const saved = newestPosition(run.checkpoints);
  if (!saved || plan.stages[saved.stage]?.name !== logged.stage || saved.step <= logged.step) return {};
  return { step: saved.step, loss: saved.loss };
}

function plannedSteps(stage: StagePlan | undefined): number | undefined {
  return stage && 'steps' in stage.train.length ? stage.train.length.steps : undefined;
}

function secondsOf({ run, result }: RunFiles): number {
  const position = result ? undefined : newestPosition(run.checkpoints);
  const stages = result?.stages ?? position?.finished ?? [];
  return stages.reduce((n, { seconds }) => n + seconds, position?.seconds ?? 0);
}

function plainScore({ task, group, metric, result }: TaskScore): Score {
  const { value, low, high } = result.sighted;
  return { task, group, metric: metric.label, better: metric.better, value, low, high };
}

/** Name, size and last change of a folder. A file that goes while it is looked at, as old checkpoints do, counts nothing. */
function diskUse(folder: string) {
  const files = filesWithin(folder).flatMap((path) => statSync(path, { throwIfNoEntry: false }) ?? []);
  const changes = [statSync(folder), ...files].map(({ mtimeMs }) => mtimeMs);
  return {
    folder,
    name: basename(folder),
    updated: new Date(Math.max(...changes)).toISOString(),
    bytes: files.reduce((n, { size }) => n + size, 0),
  };
}
