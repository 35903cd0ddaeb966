import { int32, type Tensor } from '../base/index.ts';
import { type BatchPlan, collate, type Example, halve, type PixelLoader, type TokenBatch } from '../data/index.ts';
import type { Batch, BatchSize, BatchSource, Lanes } from './batch.ts';

export interface SourceOptions {
  readonly examples: readonly Example[];
  /** Which examples each pass takes. */
  readonly plan: BatchPlan;
  /** Passes of one optimizer step. */
  readonly accumulate: number;
  /** Two halve each pass, as a loss allows that is a sum over rows. */
  readonly lanes: 1 | 2;
  readonly padId: number;
  /** Absent for a system without eyes. */
  readonly pixels?: PixelLoader;
  readonly objective: 'lm' | 'contrastive';
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

/** Sizes of the batches of some steps, as their feeds will have them, and the pictures they show; nothing is read. */
export function exampleSizes(
  options: SourceOptions,
  steps: number,
): { readonly batches: readonly BatchSize[]; readonly pictures: number } {
  const pictures = new Set<string>();
  const count = Math.min(steps, Math.ceil(options.plan.stepsPerEpoch / options.accumulate));
  const batches = Array.from({ length: count }, (_, step) => passes(options, step)).flatMap((each) =>
    each.flat().map((rows): BatchSize => {
      const images = rows.flatMap((row) => row.images.map(({ image }) => image.path));
      for (const path of images) pictures.add(path);
      const sizes = new Map([
        ['B', rows.length],
        ['T', rows.reduce((longest, { ids }) => Math.max(longest, ids.length), 0)],
      ]);
      const seen = images.length > 0 ? ['pixels'] : [];
      if (options.objective === 'contrastive') return { feeds: ['ids', 'endRows', ...seen], sizes };
      // The first token of a row is nobody's target.
      const targets = rows.reduce((n, { supervised }) => n + supervised.subarray(1).reduce((a, b) => a + b, 0), 0);
      sizes.set('K', targets).set('N', images.length);
      return { feeds: ['ids', 'targetRows', 'targetIds', ...seen], sizes };
    }),
  );
  return { batches, pictures: pictures.size };
}

/** The examples of a step: those of each pass in their lanes. */
function passes({ examples, plan, accumulate, lanes }: SourceOptions, step: number): (readonly Example[])[][] {
  return Array.from({ length: accumulate }, (_, i) => {
    const rows = plan.at(step * accumulate + i).map((index) => examples[index] as Example);
    return lanes === 2 ? halve(rows) : [rows];
  });
}

function readPass(lanes: readonly (readonly Example[])[], options: SourceOptions): Promise<readonly Batch[]> {
  return Promise.all(
    lanes.map(async (examples) => {
      const batch = collate(examples, { padId: options.padId });
      const pixels = batch.images.length > 0 ? await options.pixels?.load(batch.images) : undefined;
      const [rows, length] = batch.ids.shape as [number, number];
      const size = { rows, tokens: rows * length };
      return options.objective === 'lm'
        ? { ...size, ...lmFeeds(batch, pixels) }
        : { ...size, ...pairFeeds(batch, pixels) };
    }),
  );
}

/** Batches by pass turned into batches by lane. */
function byLane(passes: readonly (readonly Batch[])[]): Lanes {
  const lanes = Math.max(...passes.map((pass) => pass.length));
  return Array.from({ length: lanes }, (_, lane) => passes.flatMap((pass) => pass[lane] ?? []));
}

function lmFeeds(batch: TokenBatch, pixels: Tensor | undefined): Pick<Batch, 'feeds' | 'targets'> {
  const feeds = new Map<string, Tensor>([
    ['ids', batch.ids],
    ['targetRows', batch.targetRows],
    ['targetIds', batch.targetIds],
  ]);
  if (pixels) feeds.set('pixels', pixels).set('imageRows', batch.imageRows);
  return { feeds, targets: batch.targetIds.data.length };
}

/** One picture and one text a row; the text's last token carries its meaning. */
function pairFeeds(batch: TokenBatch, pixels: Tensor | undefined): Pick<Batch, 'feeds' | 'targets'> {
  const width = batch.ids.shape[1] as number;
  const ends = Array.from(batch.lengths, (length, row) => row * width + length - 1);
  const feeds = new Map<string, Tensor>([
    ['ids', batch.ids],
    ['endRows', int32([ends.length], ends)],
  ]);
  if (pixels) feeds.set('pixels', pixels);
  return { feeds, targets: 1 };
}
