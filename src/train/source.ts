import { type Tensor, TesseraError } from '../base/index.ts';
import {
  type BatchPlan,
  batchSizes,
  collate,
  type Example,
  halve,
  joinMedia,
  type MediaLoader,
  mediaKey,
  type Processor,
} from '../data/index.ts';
import type { Batch, BatchSize, BatchSource, Lanes } from './batch.ts';
import { type Objective, unitsOf } from './objective.ts';

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
}

/** Batches of examples; a pure function of the step, so a run can start anywhere. */
export function exampleSource(options: SourceOptions): BatchSource {
  const { plan, accumulate, lanes } = options;
  return {
    lanes,
    stepsPerEpoch: Math.ceil(plan.stepsPerEpoch / accumulate),
    step: async (step) => byLane(await Promise.all(passes(options, step).map((pass) => readPass(pass, options)))),
  };
}

/** Sizes of the batches of some steps, as their feeds will have them, and the images they show; nothing is read. */
export function exampleSizes(
  options: SourceOptions,
  steps: number,
): { readonly batches: readonly BatchSize[]; readonly media: readonly number[] } {
  const media = new Map<string, number>();
  const count = Math.min(steps, Math.ceil(options.plan.stepsPerEpoch / options.accumulate));
  const batches = Array.from({ length: count }, (_, step) => passes(options, step)).flatMap((each) =>
    each.flat().map((rows): BatchSize => {
      for (const { media: shown, plan } of rows.flatMap((row) => row.media)) {
        media.set(mediaKey(shown), Math.max(...Object.values(plan.sizes)));
      }
      const model = batchSizes(rows, options.processor);
      const own = options.objective.sizes(rows);
      return { feeds: [...model.feeds, ...own.feeds], sizes: new Map([...model.sizes, ...own.sizes]) };
    }),
  );
  return { batches, media: [...media.values()] };
}

/** The rows of a step: those of each pass in their lanes. */
function passes({ samples, plan, accumulate, lanes }: SourceOptions, step: number): (readonly Example[])[][] {
  return Array.from({ length: accumulate }, (_, i) => {
    const chosen = plan.at(step * accumulate + i).map((index) => samples[index] as SampleRows);
    const parts = lanes === 2 ? halve(chosen, longest) : [chosen];
    return parts.map((part) => part.flat());
  });
}

/** Tokens of the longest row of a sample. */
export function longest(rows: SampleRows): number {
  return rows.reduce((n, { ids }) => Math.max(n, ids.length), 0);
}

function readPass(lanes: readonly (readonly Example[])[], options: SourceOptions): Promise<readonly Batch[]> {
  return Promise.all(lanes.map((rows) => readBatch(rows, options)));
}

async function readBatch(rows: readonly Example[], options: SourceOptions): Promise<Batch> {
  const { processor, padId, objective, media } = options;
  const text = collate(rows, processor, padId);
  const [count, width] = (text.get('ids') as Tensor).shape as [number, number];
  const own = objective.feeds(rows, width);
  const read = await Promise.all(rows.map((row) => mediaOf(row, media)));
  const tokens = own.get('targetIds')?.data.length ?? 0;
  return {
    rows: count,
    tokens: count * width,
    feeds: new Map([...text, ...own, ...joinMedia(read, processor)]),
    units: unitsOf(objective, rows, tokens),
  };
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
