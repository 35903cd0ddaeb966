import { DataReport, type Example } from '../data/index.ts';
import type { LoadedModel } from '../models/index.ts';
import type { Lora } from '../nn/index.ts';
import type { StagePlan } from '../recipe/index.ts';
import type { Engine } from '../runtime/index.ts';
import { type BatchSource, exampleSource, LossProgram } from '../train/index.ts';
import type { Parts } from './parts.ts';
import { evaluationOptions } from './prepare.ts';
import { encodeStageRow, sourceRows, stageTemplate } from './rows.ts';
import { type Answered, openSampler, type Sampler } from './samples.ts';
import type { Hooks } from './types.ts';

const SCENES = 64;

/** A stage as far as it can be looked at while it trains. */
export interface StageUnderWay {
  readonly engine: Engine;
  readonly stage: StagePlan;
  readonly parts: Parts;
  readonly loaded: LoadedModel;
  readonly lora?: Lora;
  /** What it trains on. */
  readonly examples: readonly Example[];
}

/** How a stage does on what it has not seen. Everything is made when first asked for. */
export interface Watch {
  /**
   * The loss on scenes that the stage does not train on; undefined for a stage that reads only files, of which nothing
   * is held back.
   */
  loss(): Promise<number | undefined>;
  /** Answers to a few of the held-out rows, or of the training rows where none is held out; none from a model that writes no text. */
  answers(): Promise<readonly Answered[]>;
  dispose(): Promise<void>;
}

export function watchStage(job: StageUnderWay, hooks: Hooks): Watch {
  let reading: Promise<readonly Example[]> | undefined;
  let source: BatchSource | undefined;
  let program: LossProgram | undefined;
  let sampler: Sampler | undefined;
  const heldOut = () => {
    reading ??= heldOutExamples(job, hooks);
    return reading;
  };
  return {
    async loss() {
      const examples = await heldOut();
      if (examples.length === 0) return undefined;
      program ??= new LossProgram({
        engine: job.engine,
        model: job.loaded.model,
        store: job.loaded.store,
        objective: job.stage.objective,
        ...(job.lora && { lora: job.lora }),
      });
      source ??= exampleSource(evaluationOptions(job.stage, examples, job.parts));
      return meanLoss(program, source);
    },
    async answers() {
      const examples = await heldOut();
      sampler ??= openSampler(job, examples.length > 0 ? { examples, heldOut: true } : { ...job, heldOut: false });
      return sampler.answers();
    },
    async dispose() {
      await program?.dispose();
      await sampler?.dispose();
    },
  };
}

async function meanLoss(program: LossProgram, source: BatchSource): Promise<number> {
  let sum = 0;
  let targets = 0;
  for (let step = 0; step < source.stepsPerEpoch; step++) {
    for (const batch of (await source.step(step)).flat()) {
      sum += await program.run(batch, 1);
      targets += batch.targets;
    }
  }
  return sum / targets;
}

async function heldOutExamples({ stage, parts }: StageUnderWay, hooks: Hooks): Promise<readonly Example[]> {
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
  return examples;
}
