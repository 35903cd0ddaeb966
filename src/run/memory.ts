import { isDeepStrictEqual } from 'node:util';
import { formatFault } from '../base/index.ts';
import type { DataRecipe, Plan, StagePlan } from '../recipe/index.ts';
import { locate } from '../recipe/index.ts';
import { type Engine, openEngine } from '../runtime/index.ts';
import { type MemoryPlan, type PassedOver, planMemory, requireTrainable } from '../train/index.ts';
import { checkRunFolder } from './folder.ts';
import { buildParts } from './parts.ts';
import { type PreparedStage, prepareStage } from './prepare.ts';
import { type StageData, stageData, stageTexts } from './rows.ts';
import { timeSteps } from './timing.ts';
import type { Hooks, StageMemory } from './types.ts';
import { writeUsedImages } from './used.ts';

/** How far a source is read for a foretelling: enough to meet rows near the longest, and a matter of seconds. */
const SAMPLE = { scenes: 200, rows: 1000 } as const;

/**
 * Checks all that training would refuse before its first step, and foretells memory and time of every stage of a plan. Reads
 * weights and the beginning of every source, times a few steps and changes no weight; the plan that a stage makes before its first step knows
 * all its rows, so it may be larger.
 */
export async function foretellMemory(
  plan: Plan,
  options: { readonly resume: boolean },
  hooks: Hooks,
): Promise<readonly StageMemory[]> {
  checkRunFolder(plan, options.resume);
  const engine = await openEngine({ log: hooks.log });
  const stages = plan.stages.map((stage) => ({ ...stage, data: stage.data.map(beginning) }));
  const parts = await buildParts(plan, () => stageTexts(stages, hooks), hooks.log);
  const found: StageMemory[] = [];
  for (const [index, stage] of stages.entries()) {
    const data = await stageData(stage, parts, hooks);
    const prepared = prepareStage(engine, stage, index, parts, data, toldOnce(hooks));
    requireTrainable({ name: stage.name, store: prepared.loaded.store, trainable: prepared.trainable });
    const all = plan.stages[index]?.data ?? [];
    const partial = stage.data.some((source, at) => isCut(all[at] as DataRecipe, source, data));
    const memory = stageMemory(engine, stage, prepared, false);
    const fits = memory.peak - memory.resident < process.availableMemory();
    // The steps that are timed read images, wherever they fall in the beginning of a world.
    if (fits) await writeUsedImages(data, new Set(data.samples.keys()), hooks);
    found.push({
      stage: stage.name,
      memory,
      ...(partial && { firstRows: data.samples.length }),
      ...(fits && { time: await timeSteps({ engine, stage }, prepared, !partial, hooks.signal) }),
    });
  }
  return found;
}

/** Passes over samples that cannot be read, as training would, and says so. */
function toldOnce({ log }: Hooks): PassedOver {
  const known = new Set<number>();
  return {
    has: (sample) => known.has(sample),
    add: (sample, fault) => {
      known.add(sample);
      log.warn(`training would pass over this row: ${formatFault(fault)}`);
    },
  };
}

function beginning(data: DataRecipe): DataRecipe {
  return data.source === 'tabletop'
    ? { ...data, scenes: Math.min(data.scenes, SAMPLE.scenes) }
    : { ...data, count: Math.min(data.count ?? SAMPLE.rows, SAMPLE.rows) };
}

/** Whether rows of a source were left out. A file says how many it has only when it is read to its end. */
function isCut(whole: DataRecipe, read: DataRecipe, { report }: StageData): boolean {
  if (whole.source === 'tabletop' || read.source === 'tabletop') return !isDeepStrictEqual(whole, read);
  const rows = report.sources.find(({ file }) => file === locate(read.path));
  return whole.count !== read.count && (rows ? rows.kept + rows.rejected : 0) >= (read.count as number);
}

/** @param resumed whether the moments are in memory already. */
export function stageMemory(engine: Engine, stage: StagePlan, prepared: PreparedStage, resumed: boolean): MemoryPlan {
  const { model, store } = prepared.loaded;
  return planMemory(
    {
      ...prepared,
      ...prepared.sizes(),
      engine,
      model,
      store,
      recompute: stage.train.recompute,
      accumulate: stage.train.accumulate,
      lanes: prepared.source.lanes,
      resumed,
    },
    process.memoryUsage.rss(),
  );
}

const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)}`;

/**
 * A plan as a small table, in millions of bytes.
 * @param firstRows how many rows it was made from, where there are more
 */
export function formatMemory(memory: MemoryPlan, firstRows?: number): string {
  const { resident, weights, gradients, moments, activations, images, runtime, peak, largest, atOnce } = memory;
  const sizes = Object.entries(largest).flatMap(([name, size]) => (size > 0 ? [`${name}=${size}`] : []));
  const bound = firstRows === undefined ? '' : `at least, going by the first ${firstRows} rows; `;
  const rows: readonly (readonly [string, number, string])[] = [
    ['in use now', resident, `weights ${megabytes(weights)}`],
    ['gradients', gradients, ''],
    ['moments', moments, ''],
    ['activations', activations, `largest batch ${atOnce > 1 ? `${atOnce} x ` : ''}${sizes.join(' ')}`],
    ['images', images, ''],
    ['runtime', runtime, ''],
    ['peak', peak, `${bound}of ${megabytes(resident + process.availableMemory())} MB to be had`],
  ];
  const lines = rows.map(([name, bytes, note]) => `  ${name.padEnd(12)}${megabytes(bytes).padStart(7)}  ${note}`);
  return ['  memory            MB', ...lines].map((line) => line.trimEnd()).join('\n');
}

/** Logs the plan, with a warning when the machine has less. */
export function announceMemory(memory: MemoryPlan, { log }: Hooks): void {
  for (const line of formatMemory(memory).split('\n')) log.info(line);
  const missing = memory.peak - memory.resident - process.availableMemory();
  if (missing <= 0) return;
  log.warn(
    `training is going to need about ${megabytes(missing)} MB more than there is; ` +
      'train.recompute=true, a smaller train.batch or a shorter train.max_length take less',
  );
}
