import { type BatchPlan, type DataReport, mediaPaths, type Processor } from '../data/index.ts';
import type { SampleRows } from '../train/index.ts';
import type { Hooks } from './types.ts';
import { drawImages } from './world-cache.ts';

/** Samples with the file that each stands in. */
interface Origins {
  readonly samples: readonly SampleRows[];
  readonly origins: readonly Origin[];
}

/** The file of a sample, and what it is read as. */
export interface Origin {
  readonly file: string;
  readonly format: string;
  /** The folder of the tabletop world that the file is of. */
  readonly world?: string | undefined;
}

/** The samples that so many passes over batches read, counted from the first. */
export function usedSamples(plan: BatchPlan, count: number, passes: number): ReadonlySet<number> {
  if (passes >= plan.stepsPerEpoch) return new Set(Array.from({ length: count }, (_, i) => i));
  return new Set(Array.from({ length: passes }, (_, pass) => plan.at(pass)).flat());
}

/** Tells a report how many rows of each file are used, where that is fewer than were kept. */
export function reportUsed(report: DataReport, { origins, samples }: Origins, used: ReadonlySet<number>): void {
  if (used.size === samples.length) return;
  const counts = new Map<Origin, { kept: number; used: number }>();
  for (const [sample, origin] of origins.entries()) {
    const { kept, used: known } = counts.get(origin) ?? { kept: 0, used: 0 };
    counts.set(origin, { kept: kept + 1, used: known + Number(used.has(sample)) });
  }
  for (const [{ file, format }, count] of counts) report.use(file, format, count);
}

/** Whether the ids of a medium depend on its size, so that its file is looked at when a row is read. */
export function readsSizes(processor: Processor): boolean {
  let read = processor.boxes !== undefined;
  const sizes = () => {
    read = true;
    return [{ width: 64, height: 64 }];
  };
  processor.plan?.({ kind: 'image', path: '' }, sizes);
  return read;
}

/**
 * Writes the images that some samples show, as far as worlds have been written without them; what training does not
 * look at is not drawn.
 */
export async function writeUsedImages(
  { origins, samples }: Origins,
  used: ReadonlySet<number>,
  hooks: Hooks,
): Promise<void> {
  const worlds = new Map<string, Set<string>>();
  for (const sample of used) {
    const world = origins[sample]?.world;
    if (world === undefined) continue;
    for (const path of (samples[sample] ?? []).flatMap(({ media }) =>
      media.flatMap((span) => mediaPaths(span.media)),
    )) {
      const names = worlds.get(world) ?? new Set();
      worlds.set(world, names.add(path));
    }
  }
  for (const [world, paths] of worlds) await drawImages(world, paths, hooks);
}
