import { existsSync, rmSync } from 'node:fs';
import { TesseraError } from '../base/index.ts';
import { DataReport } from '../data/index.ts';
import { sweepTemporaries } from '../files/index.ts';
import type { Plan } from '../recipe/index.ts';
import { formatRecipe } from '../recipe/index.ts';
import { type Engine, openEngine } from '../runtime/index.ts';
import { newestCheckpoint, type SavedState } from './checkpoints.ts';
import { claimRun } from './claim.ts';
import { evaluateRun } from './evaluate.ts';
import { openRun, planOfRun, type RunFolder, resultOf, saveFault, saveResult, stepsOf } from './folder.ts';
import { buildParts } from './parts.ts';
import { checkPrompts } from './prompts.ts';
import { stageTexts } from './rows.ts';
import { trainStage } from './stage.ts';
import { openTracker } from './tracking/tracker.ts';
import type { Hooks, StageSummary, TrainResult } from './types.ts';

/**
 * Trains every stage of a plan into its run folder, then evaluates. With `resume` it goes on where the folder stops;
 * without, a folder that holds a run is a fault. The run is finished before it is evaluated, so that an evaluation that
 * fails holds nothing back.
 */
export async function trainPlan(plan: Plan, options: { readonly resume: boolean }, hooks: Hooks): Promise<TrainResult> {
  const run = openRun(plan, options.resume);
  const over = resultOf(run);
  if (over && !lacksScores(run, plan)) {
    hooks.log.info(`the run in ${run.path} is finished; nothing is left to do`);
    return over;
  }
  const release = claimRun(run);
  rmSync(run.fault, { force: true });
  try {
    const engine = await openEngine({ log: hooks.log, ...threadsOf(plan) });
    const trained = over ?? (await trainStages(run, plan, engine, hooks));
    return trained.status === 'done' && lacksScores(run, plan)
      ? await withScores(trained, run, plan, engine, hooks)
      : trained;
  } catch (error) {
    if (!hooks.signal.aborted) saveFault(run, error);
    throw error;
  } finally {
    release();
  }
}

function lacksScores(run: RunFolder, plan: Plan): boolean {
  return plan.eval.tasks.length > 0 && !existsSync(run.evaluation);
}

/** Evaluates a finished run. */
async function withScores(
  trained: TrainResult,
  run: RunFolder,
  plan: Plan,
  engine: Engine,
  hooks: Hooks,
): Promise<TrainResult> {
  hooks.trained?.();
  try {
    return { ...trained, eval: await evaluateRun(run, plan, engine, hooks) };
  } catch (error) {
    if (hooks.signal.aborted) return { ...trained, status: 'interrupted' };
    hooks.log.warn(`the training is finished and its model saved; \`tessera eval ${run.path}\` evaluates it again`);
    throw error;
  }
}

async function trainStages(run: RunFolder, plan: Plan, engine: Engine, hooks: Hooks): Promise<TrainResult> {
  const began = performance.now();
  sweepTemporaries(run.path);
  const saved = newestCheckpoint(run.checkpoints, hooks.log);
  let parts = await buildParts(plan, () => stageTexts(plan.stages, hooks), hooks.log);
  checkPrompts(plan.stages, parts);
  const finished = [...(saved?.position.finished ?? [])];
  const report = saved ? DataReport.from(saved.position.report) : new DataReport();
  const tracker = openTracker(
    run.tensorboard,
    saved ? { past: stepsOf(finished) + saved.position.step } : { recipe: formatRecipe(plan.resolved) },
  );
  for (const [index, stage] of plan.stages.entries()) {
    if (index < (saved?.position.stage ?? 0)) continue;
    const from = saved?.position.stage === index ? saved : undefined;
    const job = { run, engine, stage, index, parts, from, finished, report, plan, tracker };
    const outcome = await trainStage(job, hooks).catch((error) => stoppedWithin(error, saved, finished));
    if (outcome.status === 'interrupted')
      return { folder: run.path, status: 'interrupted', stages: finished, seconds: since(began) };
    finished.push(outcome.summary);
    parts = outcome.parts;
  }
  const trained: TrainResult = { folder: run.path, status: 'done', stages: finished, seconds: since(began) };
  saveResult(run, trained);
  return trained;
}

/** Who stops a run while it reads the data of a later stage can go on from the stage before. */
function stoppedWithin(
  error: unknown,
  saved: SavedState | undefined,
  finished: readonly StageSummary[],
): { status: 'interrupted' } {
  const stopped = error instanceof TesseraError && error.code === 'data/stopped';
  if (stopped && (saved || finished.length > 0)) return { status: 'interrupted' };
  throw error;
}

/** Goes on with a run folder from its last good checkpoint. */
export function resumeRun(folder: string, hooks: Hooks): Promise<TrainResult> {
  return trainPlan(planOfRun(folder), { resume: true }, hooks);
}

function threadsOf(plan: Plan): { threads?: number } {
  const threads = plan.stages[0]?.train.threads;
  return threads === undefined ? {} : { threads };
}

const since = (began: number) => (performance.now() - began) / 1000;
