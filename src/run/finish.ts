import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import type { ChatTemplate, DataReport } from '../data/index.ts';
import { hubName, type ModelFolderOptions, modelCard, writeModelFolder } from '../export/index.ts';
import { removeFolder } from '../files/index.ts';
import { type LoadedModel, modelPlace, partPrefix } from '../models/index.ts';
import type { Lora } from '../nn/index.ts';
import type { Plan, StagePlan } from '../recipe/index.ts';
import { locate } from '../recipe/index.ts';
import { stageBase } from './checkpoint-base.ts';
import type { RunFolder } from './folder.ts';
import { merge, withoutAdapters, writeAdapterFolder } from './lora.ts';
import { type Parts, stageProcessor } from './parts.ts';
import type { StageData } from './rows.ts';
import type { StageSummary } from './types.ts';

/** A stage whose last step is done. */
interface FinishedStage {
  readonly run: RunFolder;
  readonly plan: Plan;
  readonly stage: StagePlan;
  /** The stage's place in its plan. */
  readonly index: number;
  /** What it began with. */
  readonly parts: Parts;
  /** What it came to, adapters and all. */
  readonly loaded: LoadedModel;
  readonly lora?: Lora | undefined;
  readonly trainable: (path: string) => boolean;
  readonly data: Pick<StageData, 'template'>;
  /** Of the rows of all stages so far. */
  readonly report: DataReport;
  /** All stages so far. */
  readonly summaries: readonly StageSummary[];
}

/**
 * Writes what a stage leaves behind: adapters, and the whole model with adapters merged.
 * @returns what the next stage begins with
 */
export function finishStage(finished: FinishedStage): Parts {
  const { run, plan, stage, parts, loaded, lora, trainable, data, report, summaries } = finished;
  const processor = stageProcessor(parts, stage.pictures);
  const options = {
    dtype: plan.output.dtype,
    template: keptTemplate(data.template, parts.template),
    ...(processor && { processor }),
    overwrite: true,
  };
  if (lora) {
    const base = adapterBase(finished, options);
    writeAdapterFolder(run.adapter, withoutAdapters(loaded), loaded, lora, trainable, base);
  }
  const after = { ...parts, loaded: lora ? merge(loaded, lora) : loaded, adapter: undefined };
  const card = modelCard(plan, loaded.model, summaries, report);
  if (!lora) writeBesideHosts(finished, after, { ...options, card });
  writeModelFolder(run.model, after, { ...options, card });
  return after;
}

/** What was trained alone, where it stands beside parts that are still those of their folders. */
function writeBesideHosts(
  { run, plan, index, parts, trainable }: FinishedStage,
  after: Parts,
  options: ModelFolderOptions,
) {
  const { model, store, from = {} } = after.loaded;
  const { given } = stageBase(plan, index, parts, store, trainable);
  const asRead = (part: string) => {
    const prefix = partPrefix(model, part);
    return [...store.tensors.keys()].every((path) => !path.startsWith(prefix) || given(path));
  };
  const hosts = (model.hosts ?? []).filter((part) => from[part] !== undefined && asRead(part));
  if (hosts.length > 0) {
    const bases = Object.fromEntries(hosts.map((part) => [part, relative(run.adapter, from[part] as string)]));
    writeModelFolder(run.adapter, after, { ...options, bases });
  } else if (model.hosts && existsSync(run.adapter)) removeFolder(run.adapter);
}

/** A prompt for captions, which leaves questions out, does not take the place of the model's own prompt for talking. */
function keptTemplate(trained: ChatTemplate, own: ChatTemplate | undefined): ChatTemplate {
  const hears = (template: ChatTemplate) => !template.discards.includes('user');
  return own && hears(own) && !hears(trained) ? own : trained;
}

/**
 * What adapters name as their base, without which PEFT cannot load them: the folder that the recipe starts from, or, when
 * earlier stages trained or the recipe made the model, a copy of what they left. A path is given from the adapter's
 * folder, so that it says nothing of the machine and holds where both are moved together.
 */
function adapterBase({ run, plan, index, parts, loaded }: FinishedStage, options: ModelFolderOptions): string {
  if (index === 0 && plan.model.from !== undefined) {
    const { folder, adapter } = modelPlace(locate(plan.model.from));
    if (adapter === undefined) return hubName(parts.loaded.model) ?? relative(run.adapter, folder);
  }
  writeModelFolder(run.base, { ...parts, loaded: withoutAdapters(loaded) }, options);
  return relative(run.adapter, run.base);
}
