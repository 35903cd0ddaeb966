import type { LoadedModel } from '../models/index.ts';
import type { Lora, ParameterStore } from '../nn/index.ts';
import type { Engine } from '../runtime/index.ts';
import type { SampleRows } from '../train/index.ts';
import type { StageReading } from './prepare.ts';

/** A stage as far as it can be looked at while it trains. */
export interface StageUnderWay extends StageReading {
  readonly engine: Engine;
  readonly loaded: LoadedModel;
  readonly lora?: Lora;
  /** What it trains on. */
  readonly samples: readonly SampleRows[];
  readonly reference?: ParameterStore;
}
