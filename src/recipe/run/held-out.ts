import { DataReport, pixelLoader, planBatches } from '../../data/index.ts';
import type { LoadedModel } from '../../models/index.ts';
import type { Lora } from '../../nn/index.ts';
import type { Engine } from '../../runtime/index.ts';
import { type BatchSource, exampleSource, LossProgram } from '../../train/index.ts';
import type { StagePlan } from '../plan.ts';
import { type Parts, stageProcessor } from './parts.ts';
import { encodeStageRow, sourceRows, stageTemplate } from './rows.ts';
import type { Hooks } from './types.ts';

const SCENES = 64;

interface HeldOutJob {
  readonly engine: Engine;
  readonly stage: StagePlan;
  readonly parts: Parts;
  readonly loaded: LoadedModel;
  readonly lora?: Lora;
}

/**
 * The loss on scenes that the stage does not train on; undefined for a stage that reads only files, of which nothing is
 * held back.
 */
export function heldOutLoss(job: HeldOutJob, hooks: Hooks): () => Promise<number | undefined> {
  const { engine, stage, loaded, lora } = job;
  let source: Promise<BatchSource | undefined> | undefined;
  let program: LossProgram | undefined;
  return async () => {
    source ??= heldOutSource(job, hooks);
    const batches = await source;
    if (!batches) return undefined;
    program ??= new LossProgram({
      engine,
      model: loaded.model,
      store: loaded.store,
      objective: stage.objective,
      ...(lora && { lora }),
    });
    let sum = 0;
    let targets = 0;
    for (let step = 0; step < batches.stepsPerEpoch; step++) {
      for (const batch of await batches.step(step)) {
        sum += (await program.run(batch, 1, true)) as number;
        targets += batch.targets;
      }
    }
    return sum / targets;
  };
}

async function heldOutSource({ stage, parts }: HeldOutJob, hooks: Hooks): Promise<BatchSource | undefined> {
  const template = stageTemplate(stage, parts);
  const examples = [];
  for (const data of stage.data) {
    if (data.source !== 'tabletop') continue;
    const { rows } = await sourceRows({ ...data, split: 'val', scenes: SCENES }, new DataReport(), hooks);
    for (const row of rows) {
      const outcome = encodeStageRow(row, stage, template, parts);
      if ('kept' in outcome) examples.push(outcome.kept);
    }
  }
  if (examples.length === 0) return undefined;
  const processor = stageProcessor(parts, stage.pictures);
  return exampleSource({
    examples,
    plan: planBatches({ count: examples.length, batch: stage.train.batch, seed: 0 }),
    accumulate: 1,
    padId: parts.tokenizer.pad ?? parts.tokenizer.eos ?? 0,
    objective: stage.objective,
    ...(processor && { pixels: pixelLoader(processor) }),
  });
}
