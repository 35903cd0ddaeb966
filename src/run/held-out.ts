import { DataReport } from '../data/index.ts';
import {
  type BatchSource,
  exampleSource,
  LossProgram,
  type Objective,
  type SampleRows,
  totalUnits,
} from '../train/index.ts';
import { evaluationOptions } from './prepare.ts';
import { sourceRows, stageEncoder, stageTemplate } from './rows.ts';
import { type Answered, openSampler, type Sampler } from './samples.ts';
import type { Hooks } from './types.ts';
import type { StageUnderWay } from './under-way.ts';

const SCENES = 64;

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
  let reading: Promise<readonly SampleRows[]> | undefined;
  let source: BatchSource | undefined;
  let program: LossProgram | undefined;
  let sampler: Sampler | undefined;
  const heldOut = () => {
    reading ??= heldOutExamples(job, hooks);
    return reading;
  };
  return {
    async loss() {
      const samples = await heldOut();
      if (samples.length === 0) return undefined;
      program ??= new LossProgram({
        engine: job.engine,
        model: job.loaded.model,
        store: job.loaded.store,
        objective: job.objective,
        reader: job.reader,
        reference: job.reference,
        ...(job.lora && { lora: job.lora }),
      });
      source ??= exampleSource(evaluationOptions(job, samples));
      return meanLoss(program, source, job.objective);
    },
    async answers() {
      const samples = await heldOut();
      sampler ??= openSampler(job, samples.length > 0 ? { samples, heldOut: true } : { ...job, heldOut: false });
      return sampler.answers();
    },
    async dispose() {
      await program?.dispose();
      await sampler?.dispose();
    },
  };
}

/** The loss over all batches, as if they were one step. */
async function meanLoss(program: LossProgram, source: BatchSource, { units }: Objective): Promise<number> {
  const [unit, ...others] = units;
  const batches = async function* () {
    for (let step = 0; step < source.stepsPerEpoch; step++) yield* (await source.step(step)).flat();
  };
  // With one unit its number divides the sum; several have to be known beforehand.
  let totals = { token: 1, sample: 1, batch: 1 };
  if (others.length > 0) {
    const all = [];
    for await (const { units: found } of batches()) all.push({ units: found });
    totals = totalUnits(all);
  }
  let sum = 0;
  let terms = 0;
  for await (const batch of batches()) {
    sum += (await program.run(batch, totals)).loss;
    terms += batch.units[unit];
  }
  return others.length > 0 ? sum : sum / terms;
}

async function heldOutExamples(
  { stage, parts, objective }: StageUnderWay,
  hooks: Hooks,
): Promise<readonly SampleRows[]> {
  const encode = stageEncoder(stage, stageTemplate(stage, parts), parts);
  const samples: SampleRows[] = [];
  for (const data of stage.data) {
    if (data.source !== 'tabletop') continue;
    const { rows } = await sourceRows(
      { ...data, split: 'val', scenes: SCENES },
      objective,
      new DataReport(),
      hooks,
      'all',
    );
    for (const row of rows) {
      const outcome = encode(row);
      if ('kept' in outcome) samples.push(outcome.kept);
    }
  }
  return samples;
}
