import type { DataReport } from '../data/index.ts';
import type { Plan, StagePlan } from '../recipe/index.ts';
import type { Engine } from '../runtime/index.ts';
import { type LoopHooks, LossProgram, runStage } from '../train/index.ts';
import { announce, machine, rates, shown } from './announce.ts';
import { stageBase } from './checkpoint-base.ts';
import { restoreCheckpoint, type SavedState, saveCheckpoint } from './checkpoints.ts';
import { finishStage } from './finish.ts';
import { type LineLog, openLines, type RunFolder, stepsOf } from './folder.ts';
import { type Watch, watchStage } from './held-out.ts';
import { announceMemory, stageMemory } from './memory.ts';
import { modelCounts, withoutOwnOfObjective } from './own.ts';
import type { Parts } from './parts.ts';
import { type LostSamples, lostSamples, writeDataReport } from './passed-over.ts';
import { type PreparedStage, prepareStage } from './prepare.ts';
import { stageData } from './rows.ts';
import type { Tracker } from './tracking/tracker.ts';
import type { Hooks, StageSummary } from './types.ts';
import { reportUsed, writeUsedImages } from './used.ts';

/** One stage of a run, as it begins or goes on. */
export interface StageJob {
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

export type StageResult =
  | { readonly status: 'interrupted' }
  | { readonly status: 'done'; readonly summary: StageSummary; readonly parts: Parts };

/** A job with all that its steps write to and are read by. */
interface Desk extends StageJob {
  readonly prepared: PreparedStage;
  readonly base: ReturnType<typeof stageBase>;
  readonly metrics: LineLog;
  readonly samples: LineLog;
  readonly watch: Watch;
  readonly passedOver: LostSamples;
  /** The data report before this stage. */
  readonly earlier: ReturnType<DataReport['toJSON']>;
  /** Steps of the stages before. */
  readonly before: number;
  /** Seconds that the stage has taken. */
  seconds(): number;
  /** The loss of the last step. */
  loss: number;
}

/** Trains one stage into the run folder, or goes on with it. */
export async function trainStage(job: StageJob, hooks: Hooks): Promise<StageResult> {
  const { stage, parts, engine, from, run, index } = job;
  const data = await stageData(stage, parts, hooks);
  const earlier = structuredClone(job.report.toJSON());
  job.report.merge(data.report);
  const passedOver = lostSamples(run, job.report, data, from?.position.passedOver ?? [], hooks);
  writeDataReport(run, job.report);
  const prepared = prepareStage(engine, stage, index, parts, data, passedOver);
  reportUsed(job.report, data, prepared.used);
  writeDataReport(run, job.report);
  await writeUsedImages(data, prepared.used, hooks);
  await fillReference(engine, prepared, hooks);
  const state = from && restoreCheckpoint(from, prepared.loaded.store);
  const base = stageBase(job.plan, index, parts, prepared.loaded.store, prepared.trainable);
  announce(stage, prepared, data, hooks);
  announceAdapter(job, prepared, hooks);
  const planned = stageMemory(engine, stage, prepared, state !== undefined);
  announceMemory(planned, hooks);
  const watch = watchStage({ ...job, ...prepared, samples: data.samples }, hooks);
  const desk: Desk = { ...job, ...openDesk(job, hooks), prepared, base, earlier, watch, passedOver };
  const { recompute } = stage.train;
  const { loaded, ...rest } = prepared;
  const outcome = await runStage(
    { ...rest, name: stage.name, engine, model: loaded.model, store: loaded.store, recompute },
    stageHooks(desk, hooks),
    state,
  ).finally(() => watch.dispose());
  if (outcome.status === 'interrupted') return { status: 'interrupted' };
  const summary = {
    name: stage.name,
    steps: prepared.settings.steps,
    seconds: desk.seconds(),
    loss: desk.loss,
    ...modelCounts(loaded, outcome.trained),
    memory: { planned, peak: 1024 * process.resourceUsage().maxRSS },
  };
  const summaries = [...job.finished, summary];
  const after = finishStage({ ...job, ...prepared, loaded: withoutOwnOfObjective(loaded), data, summaries });
  hooks.log.info(`stage ${stage.name} is done: its model is in ${run.model}`);
  return { status: 'done', summary, parts: after };
}

/** Before anything is trained or restored, so that the weights are still those that the stage began with. */
async function fillReference(engine: Engine, prepared: PreparedStage, hooks: Hooks): Promise<void> {
  const { cache, loaded, objective, reader, lora } = prepared;
  if (!cache) return;
  const { model, store } = loaded;
  const program = new LossProgram({ engine, model, store, objective, reader, ...(lora && { lora }) });
  await cache.fill(program, hooks).finally(() => program.dispose());
}

function announceAdapter({ parts, index }: StageJob, { lora }: PreparedStage, hooks: Hooks): void {
  if (!parts.adapter || !lora || index !== 0) return;
  const { size } = parts.adapter.adapter.tensors;
  hooks.log.info(`  goes on from an adapter of rank ${lora.r}, with ${size} tensors of its own`);
}

/** The logs of a stage, cut back to where it goes on, and its clock. */
function openDesk(
  { run, from, index, finished }: StageJob,
  { log }: Hooks,
): Pick<Desk, 'metrics' | 'samples' | 'before' | 'seconds' | 'loss'> {
  const fresh = index === 0 ? 0 : undefined;
  const began = performance.now();
  const past = from?.position.seconds ?? 0;
  return {
    metrics: openLines(run.metrics, from?.position.metricsBytes ?? fresh, log),
    samples: openLines(run.samples, from?.position.samplesBytes ?? fresh, log),
    before: stepsOf(finished),
    seconds: () => past + (performance.now() - began) / 1000,
    loss: from?.position.loss ?? Number.NaN,
  };
}

function stageHooks(desk: Desk, hooks: Hooks): LoopHooks {
  return {
    signal: hooks.signal,
    onStep: stepLogger(desk, hooks),
    onEvaluate: async (step) => {
      await evaluateStep(desk, step, hooks);
      const { loaded, lora } = desk.prepared;
      await hooks.look?.({ stage: desk.stage.name, step, loaded, ...(lora && { lora }) });
    },
    onSave: (current) => {
      const { run, index, loss, metrics, samples, finished, earlier, prepared, base, passedOver } = desk;
      const position = {
        stage: index,
        step: current.step,
        loss,
        seconds: desk.seconds(),
        metricsBytes: metrics.sync(),
        samplesBytes: samples.sync(),
        finished,
        report: earlier,
        passedOver: passedOver.lost,
      };
      saveCheckpoint(run.checkpoints, prepared.loaded.store, current, position, base);
    },
  };
}

function stepLogger(desk: Desk, hooks: Hooks): LoopHooks['onStep'] {
  const { stage, metrics, tracker, before } = desk;
  const { steps, logEvery } = desk.prepared.settings;
  const rate = rates();
  let learns = true;
  return async (record, used) => {
    desk.loss = record.loss;
    if (learns && record.grad_norm === 0) {
      hooks.log.warn(
        `stage ${stage.name}, step ${record.step}: the gradient is 0, so nothing is learned any more; if the loss rose before, ` +
          'train.lr is too high',
      );
    }
    learns = record.grad_norm > 0;
    const speed = rate(used);
    if (record.step % logEvery === 0 || record.step === 1 || record.step === steps) {
      metrics.add(record);
      tracker.scalars(stage.name, before + record.step, { ...shown(record), ...machine(speed) });
    }
    hooks.progress({
      label: `stage ${stage.name}`,
      done: record.step,
      total: steps,
      numbers: { ...shown(record), ...(speed !== undefined && { 'tokens/s': speed }) },
    });
  };
}

async function evaluateStep(desk: Desk, step: number, hooks: Hooks): Promise<void> {
  const { stage, metrics, samples, tracker, before, watch } = desk;
  hooks.log.info(`stage ${stage.name}, step ${step}: looking at held-out rows and at some answers`);
  const found = await watch.loss();
  if (found !== undefined) {
    metrics.add({ stage: stage.name, step, held_out_loss: found });
    tracker.scalars(stage.name, before + step, { held_out_loss: found });
    hooks.log.info(`stage ${stage.name}, step ${step}: held-out loss ${found.toFixed(4)}`);
  }
  const answers = await watch.answers();
  for (const answer of answers) samples.add({ stage: stage.name, step, ...answer });
  tracker.answers(stage.name, before + step, answers);
}
