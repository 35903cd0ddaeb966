import { existsSync } from 'node:fs';
import { elementCount, TesseraError } from '../base/index.ts';
import { DataReport } from '../data/index.ts';
import { sweepTemporaries, writeTextAtomically } from '../files/index.ts';
import type { LoadedModel } from '../models/index.ts';
import { isLoraPart } from '../nn/index.ts';
import type { Plan, StagePlan } from '../recipe/index.ts';
import { formatRecipe } from '../recipe/index.ts';
import { type Engine, openEngine } from '../runtime/index.ts';
import { type Batch, runStage, type StepRecord } from '../train/index.ts';
import { stageBase } from './checkpoint-base.ts';
import { newestCheckpoint, restoreCheckpoint, type SavedState, saveCheckpoint } from './checkpoints.ts';
import { claimRun } from './claim.ts';
import { evaluateRun } from './evaluate.ts';
import { finishStage } from './finish.ts';
import { openLines, openRun, planOfRun, type RunFolder, resultOf, saveResult, stepsOf } from './folder.ts';
import { watchStage } from './held-out.ts';
import { announceMemory, stageMemory } from './memory.ts';
import { buildParts, type Parts } from './parts.ts';
import { prepareStage } from './prepare.ts';
import { checkPrompts } from './prompts.ts';
import { type StageData, stageData, stageTexts } from './rows.ts';
import { openTracker, type Tracker } from './tracking/tracker.ts';
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
  try {
    const engine = await openEngine({ log: hooks.log, ...threadsOf(plan) });
    const trained = over ?? (await trainStages(run, plan, engine, hooks));
    return trained.status === 'done' && lacksScores(run, plan)
      ? await withScores(trained, run, plan, engine, hooks)
      : trained;
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

interface StageJob {
  readonly run: RunFolder;
  readonly plan: Plan;
  readonly engine: Engine;
  readonly stage: StagePlan;
  readonly index: number;
  readonly parts: Parts;
  readonly from: SavedState | undefined;
  readonly finished: readonly StageSummary[];
  readonly report: DataReport;
  readonly tracker: Tracker;
}

type StageResult =
  | { readonly status: 'interrupted' }
  | { readonly status: 'done'; readonly summary: StageSummary; readonly parts: Parts };

async function trainStage(job: StageJob, hooks: Hooks): Promise<StageResult> {
  const { stage, parts, engine, from, run } = job;
  const data = await stageData(stage, parts, hooks);
  const earlier = structuredClone(job.report.toJSON());
  job.report.merge(data.report);
  writeTextAtomically(run.dataReport, `${JSON.stringify(job.report.toJSON(), null, 2)}\n`);
  const prepared = prepareStage(engine, stage, job.index, parts, data);
  const { loaded, lora, source, settings, trainable } = prepared;
  const state = from && restoreCheckpoint(from, loaded.store);
  const base = stageBase(job.plan, job.index, parts, loaded.store, trainable);
  announce(stage, loaded, trainable, data, settings.steps, hooks);
  if (parts.adapter && lora && job.index === 0) {
    hooks.log.info(
      `  goes on from an adapter of rank ${lora.r}, with ${parts.adapter.adapter.tensors.size} tensors of its own`,
    );
  }
  const planned = stageMemory(engine, stage, prepared, state !== undefined);
  announceMemory(planned, hooks);
  const fresh = job.index === 0 ? 0 : undefined;
  const metrics = openLines(run.metrics, from?.position.metricsBytes ?? fresh, hooks.log);
  const samples = openLines(run.samples, from?.position.samplesBytes ?? fresh, hooks.log);
  const before = stepsOf(job.finished);
  const clock = { before: from?.position.seconds ?? 0, began: performance.now() };
  const seconds = () => clock.before + since(clock.began);
  const rate = rates();
  let loss = from?.position.loss ?? Number.NaN;
  const watch = watchStage({ ...job, ...prepared, samples: data.samples, ...(lora && { lora }) }, hooks);
  const outcome = await runStage(
    {
      name: stage.name,
      engine,
      model: loaded.model,
      store: loaded.store,
      objective: prepared.objective,
      reader: prepared.reader,
      reference: prepared.reference,
      trainable,
      ...(lora && { lora }),
      recompute: stage.train.recompute,
      source,
      settings,
    },
    {
      signal: hooks.signal,
      onStep(record, used) {
        loss = record.loss;
        const due = record.step % settings.logEvery === 0 || record.step === 1 || record.step === settings.steps;
        const speed = rate(used);
        if (due) {
          metrics.add(record);
          job.tracker.scalars(stage.name, before + record.step, { ...shown(record), ...machine(speed) });
        }
        hooks.progress({
          label: `stage ${stage.name}`,
          done: record.step,
          total: settings.steps,
          numbers: { ...shown(record), ...(speed !== undefined && { 'tokens/s': speed }) },
        });
      },
      async onEvaluate(step) {
        const found = await watch.loss();
        if (found !== undefined) {
          metrics.add({ stage: stage.name, step, held_out_loss: found });
          job.tracker.scalars(stage.name, before + step, { held_out_loss: found });
          hooks.log.info(`stage ${stage.name}, step ${step}: held-out loss ${found.toFixed(4)}`);
        }
        const answers = await watch.answers();
        for (const answer of answers) samples.add({ stage: stage.name, step, ...answer });
        job.tracker.answers(stage.name, before + step, answers);
      },
      onSave(current) {
        const position = {
          stage: job.index,
          step: current.step,
          loss,
          seconds: seconds(),
          metricsBytes: metrics.sync(),
          samplesBytes: samples.sync(),
          finished: job.finished,
          report: earlier,
        };
        saveCheckpoint(run.checkpoints, loaded.store, current, position, base);
      },
    },
    state,
  ).finally(() => watch.dispose());
  if (outcome.status === 'interrupted') return { status: 'interrupted' };
  const summary = {
    name: stage.name,
    steps: settings.steps,
    seconds: seconds(),
    loss,
    trained: outcome.trained,
    parameters: parameterCount(loaded),
    memory: { planned, peak: 1024 * process.resourceUsage().maxRSS },
  };
  return {
    status: 'done',
    summary,
    parts: finishStage({ ...job, ...prepared, data, summaries: [...job.finished, summary] }),
  };
}

function parameterCount({ store }: LoadedModel): number {
  return [...store.specs.values()].reduce((n, spec) => n + elementCount(spec.shape), 0);
}

function shown(record: StepRecord): Record<string, number> {
  return { loss: record.loss, lr: record.lr, grad_norm: record.grad_norm };
}

/** What a step took of the machine. It is never the same twice, so it stays out of metrics.jsonl. */
function machine(speed: number | undefined): Record<string, number> {
  const resident_gib = process.memoryUsage.rss() / 2 ** 30;
  return { ...(speed !== undefined && { tokens_per_second: speed }), resident_gib };
}

/** Tokens a second over the last seconds; undefined at the first step. */
function rates(): (used: readonly Batch[]) => number | undefined {
  const recent: { at: number; tokens: number }[] = [];
  return (used) => {
    const now = performance.now();
    recent.push({ at: now, tokens: used.reduce((n, batch) => n + batch.tokens, 0) });
    while (recent.length > 2 && now - (recent[0]?.at as number) > 5000) recent.shift();
    const seconds = (now - (recent[0]?.at as number)) / 1000;
    if (seconds === 0) return undefined;
    return Math.round(recent.slice(1).reduce((n, step) => n + step.tokens, 0) / seconds);
  };
}

/** Says what is about to be trained, with names and counts. */
function announce(
  stage: StagePlan,
  loaded: LoadedModel,
  trainable: (path: string) => boolean,
  { samples, report }: StageData,
  steps: number,
  hooks: Hooks,
): void {
  const groups = new Map<string, number>();
  let trained = 0;
  for (const [path, { data }] of loaded.store.tensors) {
    if (!trainable(path)) continue;
    trained += data.length;
    const group = isLoraPart(path) ? 'adapters' : path.split('.').slice(0, 2).join('.');
    groups.set(group, (groups.get(group) ?? 0) + data.length);
  }
  const parts = [...groups].map(([group, count]) => `${group} ${count.toLocaleString('en')}`).join(', ');
  const rows = `${samples.length} rows${report.rejected > 0 ? ` (${report.rejected} refused)` : ''}`;
  hooks.log.info(`stage ${stage.name}: ${steps} steps over ${rows}`);
  hooks.log.info(
    `  trains ${trained.toLocaleString('en')} of ${parameterCount(loaded).toLocaleString('en')} parameters: ${parts}`,
  );
}
