import { int32, type Named, Random, selector, type Tensor, TesseraError } from '../base/index.ts';
import type { Lora, ParameterStore } from '../nn/index.ts';
import type { Engine } from '../runtime/index.ts';
import { type Batch, type BatchSource, type Lanes, totalUnits } from './batch.ts';
import { allocateGradients, type GradientBuffer } from './gradients.ts';
import type { Units } from './objective.ts';
import { AdamW, type AdamWOptions, allocateMoments, clipFactor, globalNorm, type Moments } from './optim/adamw.ts';
import { type ScheduleName, scheduleFactor } from './optim/schedule.ts';
import type { BatchLoss, TraceOptions } from './program.ts';
import { StepProgram } from './step.ts';

export interface StageSettings extends AdamWOptions {
  readonly steps: number;
  readonly lr: number;
  /** Other peak rates, by path pattern; later ones win. */
  readonly lrFor: readonly { readonly pattern: string; readonly lr: number }[];
  readonly schedule: ScheduleName;
  readonly warmupRatio: number;
  /** Largest global gradient norm; 0 never clips. */
  readonly clip: number;
  readonly saveEvery: number;
  readonly evalEvery: number;
  readonly logEvery: number;
}

export interface Stage extends Omit<TraceOptions, 'trained'> {
  readonly name: string;
  readonly engine: Engine;
  readonly store: ParameterStore;
  /** What the stage began with, where its objective compares with it and no adapters can be switched off. */
  readonly reference?: ParameterStore | undefined;
  readonly trainable: (path: string) => boolean;
  readonly source: BatchSource;
  readonly settings: StageSettings;
}

/** What a stage is between two steps; with the parameters, everything that its future depends on. */
export interface StageState {
  /** Optimizer steps done. */
  readonly step: number;
  readonly moments: Moments;
}

/** One optimizer step, as metrics.jsonl records it: nothing in it depends on time or machine load. */
export interface StepRecord {
  readonly stage: string;
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  readonly lr: number;
  readonly grad_norm: number;
  readonly targets: number;
  /** What the objective measures beside its loss. */
  readonly metrics?: Named<number>;
}

/** What the loop tells its surroundings; each is awaited before the next step. */
export interface LoopHooks {
  readonly signal: AbortSignal;
  onStep(record: StepRecord, batches: readonly Batch[]): Promise<void>;
  /** A state worth keeping: every `saveEvery` steps, at the end and when stopped. */
  onSave(state: StageState): void | Promise<void>;
  onEvaluate(step: number): Promise<void>;
}

export interface StageOutcome {
  readonly status: 'done' | 'interrupted';
  readonly loss: number;
  readonly trained: number;
}

/**
 * Trains one stage: the one loop that every method shares. With `from` it goes on where that state stopped; the data
 * order is a function of the step, so the rest is what it would have been.
 * @throws TesseraError `train/nothing-trainable`, `train/not-finite`.
 */
export async function runStage(stage: Stage, hooks: LoopHooks, from?: StageState): Promise<StageOutcome> {
  const { settings, store, source } = stage;
  const gradients = trainableGradients(stage);
  const moments = from?.moments ?? allocateMoments(gradients);
  const program = new StepProgram({ ...stage, gradients, lanes: source.lanes });
  const rateOf = ratesOf(settings);
  // Decay would move the rows that no gradient reaches.
  const decays = (path: string) => stage.model.openRows?.[path] === undefined;
  const optimizer = await AdamW.open(stage.engine, { store, gradients, moments, options: settings, rateOf, decays });
  const schedule = { name: settings.schedule, warmup: warmupSteps(settings), total: settings.steps };
  let loss = Number.NaN;
  let done = from?.step ?? 0;
  const save = async () => void (done > (from?.step ?? 0) && (await hooks.onSave({ step: done, moments })));
  try {
    let upcoming = done < settings.steps ? source.step(done) : undefined;
    while (done < settings.steps && upcoming) {
      const lanes = withDropoutSeeds(await orSaved(upcoming, save), stage.lora, done);
      const batches = lanes.flat();
      const totals = totalUnits(batches);
      const computing = gradientStep(program, lanes, totals, hooks.signal);
      const next = done + 1;
      // The next batches are read while this step computes: one turn later, when its runs are under way.
      upcoming = next < settings.steps ? turn().then(() => source.step(next)) : undefined;
      upcoming?.catch(() => {});
      const step = await orSaved(computing, save);
      if (step === undefined) return await interrupted(hooks, { step: done, moments }, loss, gradients);
      const norm = globalNorm(gradients.flat);
      loss = step.loss;
      requireFinite(stage.name, done + 1, loss, norm, batches);
      const rateFactor = scheduleFactor(schedule, done);
      const gradientScale = clipFactor(norm, settings.clip === 0 ? undefined : settings.clip);
      await optimizer.step({ step: done + 1, rateFactor, gradientScale });
      done++;
      const metrics = { ...step.metrics, ...cared(stage, done, step.seen) };
      const epoch = done / source.stepsPerEpoch;
      const record = {
        stage: stage.name,
        step: done,
        epoch,
        loss,
        lr: settings.lr * rateFactor,
        grad_norm: norm,
        targets: totals[stage.objective.units[0]],
        ...(Object.keys(metrics).length > 0 && { metrics }),
      };
      await orSaved(hooks.onStep(record, batches), save);
      const last = done === settings.steps;
      if (last || (settings.evalEvery > 0 && done % settings.evalEvery === 0))
        await orSaved(hooks.onEvaluate(done), save);
      if (last || (settings.saveEvery > 0 && done % settings.saveEvery === 0))
        await hooks.onSave({ step: done, moments });
      if (hooks.signal.aborted && !last) return await interrupted(hooks, { step: done, moments }, loss, gradients);
    }
  } finally {
    optimizer.dispose();
    await program.dispose();
  }
  return { status: 'done', loss, trained: gradients.flat.length };
}

/** What the objective does once a step is over. */
function cared({ objective, model, store, trainable }: Stage, step: number, seen: BatchLoss['seen']): Named<number> {
  return objective.after?.({ model, store, trained: trainable, step, seen }) ?? {};
}

/** A batch that cannot be read or computed, a log or an evaluation that fails ends the run, and not the work before it. */
async function orSaved<T>(work: Promise<T>, save: () => Promise<void>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    await save();
    throw error;
  }
}

/** The next turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

async function interrupted(
  hooks: LoopHooks,
  state: StageState,
  loss: number,
  gradients: GradientBuffer,
): Promise<StageOutcome> {
  await hooks.onSave(state);
  return { status: 'interrupted', loss, trained: gradients.flat.length };
}

/** The loss of a whole optimizer step; undefined when it was stopped before the end. */
async function gradientStep(
  program: StepProgram,
  lanes: Lanes,
  totals: Units,
  signal: AbortSignal,
): Promise<BatchLoss | undefined> {
  try {
    return await program.run(lanes, totals, signal);
  } catch (error) {
    if (error instanceof TesseraError && error.code === 'runtime/cancelled') return undefined;
    throw error;
  }
}

/** Feeds each batch the seed of its dropout masks, a function of the run's seed and its place in the run. */
function withDropoutSeeds(lanes: Lanes, lora: Lora | undefined, step: number): Lanes {
  const { dropout } = lora ?? {};
  if (!dropout) return lanes;
  return lanes.map((lane, l) =>
    lane.map((batch, i) => {
      const seed = int32([], [new Random(dropout.seed, 'dropout', step, l, i).bits()]);
      return { ...batch, feeds: new Map<string, Tensor>([...batch.feeds, ['dropoutSeed', seed]]) };
    }),
  );
}

function trainableGradients(stage: Stage): GradientBuffer {
  requireTrainable(stage);
  return allocateGradients(stage.store, stage.trainable);
}

/** @throws TesseraError `train/nothing-trainable` */
export function requireTrainable({ name, store, trainable }: Pick<Stage, 'name' | 'store' | 'trainable'>): void {
  const paths = [...store.tensors.keys()];
  if (paths.some(trainable)) return;
  throw new TesseraError({
    code: 'train/nothing-trainable',
    message: 'the patterns of the stage select no parameter',
    path: `stages.${name}.trainable`,
    expected: `patterns of paths such as ${paths.slice(0, 3).join(', ')}`,
  });
}

/** Peak rates by path. */
function ratesOf({ lr, lrFor }: StageSettings): (path: string) => number {
  const rules = lrFor.map(({ pattern, lr: rate }) => ({ matches: selector([pattern]), rate }));
  return (path) => rules.findLast((rule) => rule.matches(path))?.rate ?? lr;
}

/** As transformers counts them: the ceiling of the share. One step is left, since the first of a warm-up has a rate of 0. */
function warmupSteps({ steps, warmupRatio }: StageSettings): number {
  return Math.min(Math.ceil(steps * warmupRatio), steps - 1);
}

function requireFinite(stage: string, step: number, loss: number, norm: number, batches: readonly Batch[]): void {
  if (Number.isFinite(loss) && Number.isFinite(norm)) return;
  throw new TesseraError({
    code: 'train/not-finite',
    message: 'the loss or its gradient is no longer a number',
    path: `stage ${stage}, step ${step}`,
    expected: 'finite numbers',
    got: `loss ${loss}, gradient norm ${norm} over ${batches.length} batches`,
    remedy:
      'lower train.lr or train.clip, or look at the rows with `tessera data inspect`; resume goes back to the last checkpoint',
  });
}
