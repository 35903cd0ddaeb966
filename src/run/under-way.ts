import type { Processor } from '../data/index.ts';
import type { LoadedModel } from '../models/index.ts';
import type { Lora, ParameterStore } from '../nn/index.ts';
import type { StagePlan } from '../recipe/index.ts';
import type { Engine } from '../runtime/index.ts';
import type { Objective, SampleRows } from '../train/index.ts';
import type { Parts } from './parts.ts';

/** A stage as far as it can be looked at while it trains. */
export interface StageUnderWay {
  readonly engine: Engine;
  readonly stage: StagePlan;
  readonly parts: Parts;
  readonly loaded: LoadedModel;
  readonly lora?: Lora;
  /** What it trains on. */
  readonly samples: readonly SampleRows[];
  readonly objective: Objective;
  readonly reader: Processor;
  readonly reference?: ParameterStore;
}
