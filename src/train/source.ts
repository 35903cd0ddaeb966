import { float32, type Named, type Tensor, TesseraError } from '../base/index.ts';
import {
  type BatchPlan,
  batchSizes,
  collate,
  type Example,
  halve,
  joinMedia,
  type MediaLoader,
  mediaKey,
  mediaOnce,
  type Processor,
} from '../data/index.ts';
import type { Batch, BatchSize, BatchSource, Lanes } from './batch.ts';
import { type KeptReference, type Objective, unitsOf } from './objective.ts';

/** The rows of one sample, in the order of the objective's views. */
export type SampleRows = readonly Example[];

export interface SourceOptions {
  readonly samples: readonly SampleRows[];
  /** Which samples each pass takes. */
  readonly plan: BatchPlan;
  /** Passes of one optimizer step. */
  readonly accumulate: number;
  /** Two halve each pass, as a loss allows that is a sum over samples. */
  readonly lanes: 1 | 2;
  readonly padId: number;
  readonly processor: Processor;
  readonly media: MediaLoader;
  readonly objective: Objective;
  /** What the reference gives rows, where it was made beforehand. */
  readonly reference?: KeptReference | undefined;
  /** Where samples go that can no longer be read; when absent, the first of them ends the reading. */
  readonly passedOver?: PassedOver | undefined;
}

/** Samples that training passes over, since what they show turned out to be unreadable. */
export interface PassedOver {
  has(sample: number): boolean;
  /** @throws what ends the training: another kind of fault, or one sample too many */
  add(sample: number, fault: TesseraError): void;
}

/** A row with what it shows. */
interface ReadRow {
  readonly example: Example;
  readonly media: readonly Named<Tensor>[];
}

/**
 * Batches of examples; a function of the step and of the files, so a run can start anywhere. A sample whose media cannot be
 * read leaves its place to the next one in the order of the files that can.
 */
export function exampleSource(options: SourceOptions): BatchSource {
  const { plan, accumulate, lanes } = options;
  return {
    lanes,
    stepsPerEpoch: Math.ceil(plan.stepsPerEpoch / accumulate),
    step: async (step) => byLane((await readPasses(options, step)).map((pass) => batchesOf(pass, options))),
  };
}

/** Sizes of the batches of some steps, as their feeds will have them, and the images they show; nothing is read. */
export function exampleSizes(
  options: SourceOptions,
  steps: number,
): { readonly batches: readonly BatchSize[]; readonly media: readonly number[] } {
  const media = new Map<string, number>();
  const count = Math.min(steps, Math.ceil(options.plan.stepsPerEpoch / options.accumulate));
  const samplesOf = (step: number) => passes(options, step).map((pass) => pass.map((at) => rowsAt(at, options)));
  const batches = Array.from({ length: count }, (_, step) => samplesOf(step)).flatMap((each) =>
    each
      .flatMap((pass) => inLanes(pass, longest, options))
      .map((rows): BatchSize => {
        for (const { media: shown, plan } of rows.flatMap((row) => row.media)) {
          media.set(mediaKey(shown), Math.max(...Object.values(plan.sizes)));
        }
        const model = batchSizes(rows, options.processor, onceShown(rows, options));
        const own = options.objective.sizes(rows);
        return { feeds: [...model.feeds, ...own.feeds], sizes: new Map([...model.sizes, ...own.sizes]) };
      }),
  );
  return { batches, media: [...media.values()] };
}

/** The samples of each pass of a step. The last step of an epoch has the passes that are left, so that none comes twice. */
function passes(options: SourceOptions, step: number): number[][] {
  const { plan, accumulate } = options;
  const steps = Math.ceil(plan.stepsPerEpoch / accumulate);
  const first = (step % steps) * accumulate;
  const begin = Math.floor(step / steps) * plan.stepsPerEpoch + first;
  return Array.from({ length: Math.min(accumulate, plan.stepsPerEpoch - first) }, (_, i) =>
    plan.at(begin + i).map((sample) => placeOf(sample, options)),
  );
}

/** The first sample from this one on, and around the end, that is not passed over. */
function placeOf(sample: number, { samples, passedOver }: SourceOptions): number {
  let place = sample;
  for (let i = 0; i < samples.length && passedOver?.has(place); i++) place = (place + 1) % samples.length;
  return place;
}

const rowsAt = (sample: number, { samples }: SourceOptions) => samples[sample] as SampleRows;

/** Cuts the samples of a pass into lanes. */
function inLanes<T>(
  pass: readonly (readonly T[])[],
  lengthOf: (sample: readonly T[]) => number,
  { lanes }: SourceOptions,
): (readonly T[])[] {
  return (lanes === 2 ? halve(pass, lengthOf) : [pass]).map((part) => part.flat());
}

/** Tokens of the longest row of a sample. */
export function longest(rows: SampleRows): number {
  return rows.reduce((n, { ids }) => Math.max(n, ids.length), 0);
}

/** Reads what the samples of a step show, all at once; places of unreadable ones are filled one after the other, in order. */
async function readPasses(options: SourceOptions, step: number): Promise<(readonly ReadRow[])[][]> {
  const chosen = passes(options, step);
  const tried = await Promise.allSettled(chosen.flat().map((sample) => readSample(sample, options)));
  let next = 0;
  const read: (readonly ReadRow[])[][] = [];
  for (const pass of chosen) {
    const samples: (readonly ReadRow[])[] = [];
    for (const sample of pass) {
      const outcome = tried[next++] as PromiseSettledResult<readonly ReadRow[]>;
      const { status } = outcome;
      samples.push(status === 'fulfilled' ? outcome.value : await readInstead(sample, outcome.reason, options));
    }
    read.push(samples);
  }
  return read;
}

async function readInstead(sample: number, reason: unknown, options: SourceOptions): Promise<readonly ReadRow[]> {
  const { passedOver } = options;
  if (!passedOver || !(reason instanceof TesseraError)) throw reason;
  passedOver.add(sample, reason);
  const place = placeOf(sample, options);
  if (passedOver.has(place)) throw reason;
  return readSample(place, options).catch((error) => readInstead(place, error, options));
}

function readSample(sample: number, options: SourceOptions): Promise<readonly ReadRow[]> {
  const { media } = options;
  return Promise.all(
    rowsAt(sample, options).map(async (example) => ({ example, media: await mediaOf(example, media) })),
  );
}

function batchesOf(pass: readonly (readonly ReadRow[])[], options: SourceOptions): Batch[] {
  const length = (rows: readonly ReadRow[]) => longest(rows.map(({ example }) => example));
  return inLanes(pass, length, options).map((rows) => batchOf(rows, options));
}

function batchOf(read: readonly ReadRow[], { processor, padId, objective, reference }: SourceOptions): Batch {
  const rows = read.map(({ example }) => example);
  const text = collate(rows, processor, padId);
  const [count, width] = (text.get('ids') as Tensor).shape as [number, number];
  const own = objective.feeds(rows, width);
  const media = read.map(({ media }) => media);
  const tokens = own.get('targetIds')?.data.length ?? 0;
  return {
    rows: count,
    tokens: count * width,
    feeds: new Map([
      ...text,
      ...own,
      ...(reference ? [[reference.feed, joined(rows.map((row) => reference.of(row)))] as const] : []),
      ...joinMedia(media, processor, onceShown(rows, { objective })),
    ]),
    units: unitsOf(objective, rows, tokens),
  };
}

function joined(parts: readonly Float32Array[]): Tensor {
  const all = new Float32Array(parts.reduce((n, { length }) => n + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return float32([all.length], all);
}

/** What rows that are read together show in common is read and computed once. */
function onceShown(rows: readonly Example[], { objective: { views } }: Pick<SourceOptions, 'objective'>) {
  if (views.length === 1) return undefined;
  return mediaOnce(
    rows.map(({ media }) => media),
    views.length,
  );
}

/** What a row shows; what cannot be read any more is named with its row. */
async function mediaOf(row: Example, loader: MediaLoader): ReturnType<MediaLoader['load']> {
  try {
    return await loader.load(row.media);
  } catch (error) {
    if (!(error instanceof TesseraError)) throw error;
    throw new TesseraError({ ...error.toJSON(), path: `${row.where}: ${error.path}` }, { cause: error });
  }
}

/** Batches by pass turned into batches by lane. */
function byLane(passes: readonly (readonly Batch[])[]): Lanes {
  const lanes = Math.max(...passes.map((pass) => pass.length));
  return Array.from({ length: lanes }, (_, lane) => passes.flatMap((pass) => pass[lane] ?? []));
}
