import { raise, selector, TesseraError } from '../base/index.ts';
import { type BatchPlan, type MediaLoader, mediaLoader, type Processor, planBatches } from '../data/index.ts';
import type { LoadedModel } from '../models/index.ts';
import { copyStore, isLoraPart, type Lora, type ParameterStore } from '../nn/index.ts';
import type { StagePlan, TrainPlan } from '../recipe/index.ts';
import type { Engine } from '../runtime/index.ts';
import {
  type BatchSize,
  type BatchSource,
  exampleSizes,
  exampleSource,
  isKeptByObjective,
  isOwnOfObjective,
  longest,
  type Objective,
  type PassedOver,
  type SampleRows,
  type SourceOptions,
  type StageSettings,
} from '../train/index.ts';
import { adaptersOf } from './lora.ts';
import { withOwnOfObjective } from './own.ts';
import { type Parts, stageReader } from './parts.ts';
import { type ReferenceCache, referenceCache } from './reference-cache.ts';
import { type StageData, stageObjective } from './rows.ts';
import { usedSamples } from './used.ts';

/** What reads the samples of a stage, those that it trains on and those that are held out. */
export interface StageReading {
  readonly stage: StagePlan;
  readonly parts: Parts;
  readonly objective: Objective;
  readonly reader: Processor;
  readonly media: MediaLoader;
}

/** A stage with everything decided that its loop needs. */
export interface PreparedStage {
  /** With fresh adapters where the stage has any. */
  readonly loaded: LoadedModel;
  readonly lora?: Lora;
  readonly objective: Objective;
  readonly reader: Processor;
  readonly media: MediaLoader;
  /** What the objective compares with; absent where switching the adapters off gives it, or a cache. */
  readonly reference?: ParameterStore;
  /** What it compares with, to be filled before the first step. */
  readonly cache?: ReferenceCache | undefined;
  readonly trainable: (path: string) => boolean;
  readonly source: BatchSource;
  /** What the steps are going to read. */
  readonly sizes: () => ReturnType<typeof exampleSizes> & { readonly evaluation: readonly BatchSize[] };
  readonly settings: StageSettings;
  /** The samples that the steps are going to read. */
  readonly used: ReadonlySet<number>;
}

/**
 * @param index the stage's place in its plan
 * @param passedOver where samples go that turn out to be unreadable
 */
export function prepareStage(
  engine: Engine,
  stage: StagePlan,
  index: number,
  parts: Parts,
  data: StageData,
  passedOver?: PassedOver,
): PreparedStage {
  const { loaded: adapted, lora, held } = adaptersOf(stage, index, parts);
  checkPatterns(stage, adapted);
  const chosen = selector(stage.trainable);
  const own = (path: string) => isOwnOfObjective(path) && !isKeptByObjective(path);
  const trainable = (path: string) =>
    isLoraPart(path) || own(path) || held(path) || (chosen(path) && !isKeptByObjective(path));
  const objective = stageObjective(stage);
  const reading = { stage, parts, objective, reader: stageReader(parts, stage.pictures), media: mediaLoader() };
  const lanes = lanesOf(engine, stage, objective, adapted, trainable);
  const options = { ...sourceOptions(reading, data), lanes, passedOver };
  const loaded = withOwnOfObjective(adapted, options, stage.train.seed);
  const kind = referenceKind(reading, lora !== undefined, [...loaded.store.tensors.keys()].filter(trainable));
  const steps = settingsOf(stage.train, Math.ceil(options.plan.stepsPerEpoch / options.accumulate));
  const used = usedSamples(options.plan, data.samples.length, steps.steps * options.accumulate);
  const cache = kind === 'cache' ? cacheOf(reading, data, used) : undefined;
  const source = exampleSource({ ...options, reference: cache });
  return {
    loaded,
    ...(lora && { lora }),
    objective,
    reader: reading.reader,
    media: reading.media,
    ...(kind === 'copy' && { reference: copyStore(lora ? loaded.store : parts.loaded.store) }),
    cache,
    trainable,
    source,
    sizes: () => ({ ...exampleSizes(options, steps.steps), evaluation: evaluationSizes(reading, data) }),
    settings: steps,
    used,
  };
}

/**
 * How an objective gets what it compares with. Without adapters a model is what the stage began with only while nothing else
 * is trained.
 * @throws TesseraError `train/reference`
 */
function referenceKind({ objective, stage }: StageReading, adapts: boolean, trained: readonly string[]) {
  if (!objective.before?.some(({ weights }) => weights === 'reference')) return 'none';
  const others = trained.filter((path) => !isLoraPart(path) && !isOwnOfObjective(path));
  const alone = adapts && others.length === 0;
  const { reference = alone ? 'adapter' : 'copy' } = stage;
  if (reference !== 'adapter' || alone) return reference;
  throw new TesseraError({
    code: 'train/reference',
    message: 'without its adapters the model is not what the stage began with, since it trains more than them',
    path: `stages.${stage.name}.reference`,
    expected: 'copy or cache',
    got: others.slice(0, 3).join(', '),
  });
}

function cacheOf(reading: StageReading, { samples }: StageData, used: ReadonlySet<number>): ReferenceCache | undefined {
  const { plan: _, accumulate: __, lanes: ___, samples: ____, ...source } = evaluationOptions(reading, samples);
  const chosen = [...used].sort((a, b) => a - b).map((sample) => samples[sample] as SampleRows);
  return referenceCache({ reference: reading.parts.loaded, samples: chosen, source, batch: reading.stage.train.batch });
}

/**
 * A pattern that selects nothing is a mistake, whatever the others select.
 * @throws TesseraError `train/no-such-parameter`, all faults at once
 */
function checkPatterns({ name, trainable, train }: StagePlan, { model, store }: LoadedModel): void {
  // What is one with another parameter has none of its own, and may be named.
  const paths = [...store.tensors.keys(), ...Object.keys(model.tied)].filter((path) => !isLoraPart(path));
  const rates = train.lrFor.map(({ pattern }) => ['train.lr_for', pattern] as const);
  const patterns = [...trainable.map((pattern) => ['trainable', pattern] as const), ...rates];
  raise(
    patterns
      .filter(([, pattern]) => !pattern.startsWith('!') && !paths.some(selector([pattern])))
      .map(([key, pattern]) => ({
        code: 'train/no-such-parameter',
        message: 'the pattern selects no parameter of the model',
        path: `stages.${name}.${key}`,
        expected: `patterns of paths such as ${[...new Set(paths.map(branch))].slice(0, 6).join(', ')}`,
        got: pattern,
      })),
  );
}

/** The outermost name of a path, for everything below it. */
const branch = (path: string): string => `${path.slice(0, path.indexOf('.'))}.**`;

/** The samples that the steps of a stage are going to read. */
export function usedByStage({ train }: StagePlan, { samples }: Pick<StageData, 'samples'>): ReadonlySet<number> {
  const plan = batchesOf(train, samples);
  const { steps } = settingsOf(train, Math.ceil(plan.stepsPerEpoch / train.accumulate));
  return usedSamples(plan, samples.length, steps * train.accumulate);
}

/** Which samples each pass of a stage takes. */
function batchesOf({ batch, seed }: TrainPlan, samples: readonly SampleRows[]): BatchPlan {
  return planBatches({ count: samples.length, batch, seed, lengths: samples.map(longest) });
}

/** The most bytes of further gradients, so that two halves of a batch run side by side. */
const mostAdded = 2 ** 30;

/**
 * Two lanes wherever samples add up to the loss; some objectives compare all of them, and a GPU would read weights and
 * write gradients twice for nothing.
 */
function lanesOf(
  engine: Engine,
  { train }: StagePlan,
  { adds }: Objective,
  { store }: LoadedModel,
  trainable: (path: string) => boolean,
): 1 | 2 {
  const bytes = [...store.tensors].reduce((n, [path, { data }]) => (trainable(path) ? n + data.byteLength : n), 0);
  const added = bytes * (train.accumulate > 1 ? 2 : 1);
  return adds && train.batch > 1 && engine.target === 'cpu' && added <= mostAdded ? 2 : 1;
}

function sourceOptions(reading: StageReading, { samples }: StageData): SourceOptions {
  const { train } = reading.stage;
  return {
    ...evaluationOptions(reading, samples),
    plan: batchesOf(train, samples),
    accumulate: train.accumulate,
  };
}

/** How rows are read to be looked at once, in batches of the stage's size and of any lengths. */
export function evaluationOptions(reading: StageReading, samples: readonly SampleRows[]): SourceOptions {
  const { stage, parts, objective, reader, media } = reading;
  return {
    samples,
    plan: planBatches({ count: samples.length, batch: stage.train.batch, seed: 0 }),
    accumulate: 1,
    lanes: 1,
    padId: parts.tokenizer.pad ?? parts.tokenizer.eos ?? 0,
    objective,
    processor: reader,
    media,
  };
}

/** Held-out rows are like those of the stage; only the tabletop world has some. */
function evaluationSizes(reading: StageReading, { samples }: StageData): readonly BatchSize[] {
  if (!reading.stage.data.some((data) => data.source === 'tabletop')) return [];
  const options = evaluationOptions(reading, samples);
  return exampleSizes(options, options.plan.stepsPerEpoch).batches;
}

function settingsOf(train: TrainPlan, stepsPerEpoch: number): StageSettings {
  const steps = 'steps' in train.length ? train.length.steps : Math.ceil(train.length.epochs * stepsPerEpoch);
  return { ...train, steps };
}
