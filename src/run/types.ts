import type { Log } from '../base/index.ts';
import type { Evaluation } from '../eval/index.ts';
import type { PairReport } from '../feedback/index.ts';
import type { Quantization } from '../generate/index.ts';
import type { LoadedModel } from '../models/index.ts';
import type { Lora } from '../nn/index.ts';
import type { MemoryPlan } from '../train/index.ts';

/** How far something is, for a bar or a log line. */
export interface Progress {
  /** What is being done, such as `stage align` or `pope random`. */
  readonly label: string;
  readonly done: number;
  readonly total: number;
  /** What is counted; steps when absent. */
  readonly unit?: string;
  /** Numbers worth seeing now: loss, lr, grad_norm, … */
  readonly numbers: Readonly<Record<string, number>>;
}

/** The model of a stage as it is after a step. */
export interface StageLook {
  readonly stage: string;
  readonly step: number;
  readonly loaded: LoadedModel;
  readonly lora?: Lora;
}

/** What long work tells its caller, and how the caller stops it. */
export interface Hooks {
  readonly signal: AbortSignal;
  readonly log: Log;
  progress(progress: Progress): void;
  /** Looks at a stage whenever it is evaluated; training waits for it. */
  readonly look?: (stage: StageLook) => Promise<void>;
  /** All stages are over; the evaluation comes next. */
  readonly trained?: () => void;
}

/** What a stage is going to take. */
export interface StageMemory {
  readonly stage: string;
  readonly memory: MemoryPlan;
  /** How many rows the plan was made from, where the stage has more: it is then a lower bound. */
  readonly firstRows?: number;
  /** Absent where the stage needs more memory than there is. */
  readonly time?: StageTime;
}

/** How long the steps of a stage take, by some that were done. */
export interface StageTime {
  /** Of the stage; absent where it has more rows than were read. */
  readonly steps?: number;
  /** Seconds. */
  readonly perStep: number;
  /** Steps that were timed. */
  readonly timed: number;
  readonly bound: 'about' | 'at most' | 'at least';
}

/** How a stage ended. */
export interface StageSummary {
  readonly name: string;
  readonly steps: number;
  readonly seconds: number;
  readonly loss: number;
  /** Numbers of parameters trained, and in all. */
  readonly trained: number;
  readonly parameters: number;
  /** What it was going to take, and the most that the process had taken by its end; bytes. */
  readonly memory: { readonly planned: MemoryPlan; readonly peak: number };
}

export interface TrainResult {
  /** The run folder. */
  readonly folder: string;
  /** `interrupted` when the signal stopped it; the folder can then be resumed. */
  readonly status: 'done' | 'interrupted';
  readonly stages: readonly StageSummary[];
  readonly seconds: number;
  readonly eval?: EvalResult;
}

export interface EvalOptions {
  /** Those of the run's recipe when absent, or all that the model can be put to. */
  readonly tasks?: readonly string[];
  /** Images of each task; as many as the run's recipe says when absent, or all. */
  readonly limit?: number;
  /** Also with images shuffled between questions, to see what the answers owe to them. */
  readonly blind: boolean;
  /** Rounds the language model's matrices. */
  readonly quantize?: Quantization;
  /** A folder of questions and images in the place of the tabletop world's. */
  readonly data?: string;
  /** A folder in PEFT layout whose adapter is added to the model. */
  readonly adapter?: string | undefined;
  /** A built-in chat template or a file, in the place of the model's own. */
  readonly template?: string | undefined;
  /** A system message before every question. */
  readonly system?: string | undefined;
  /** A folder with the results of another evaluation, whose answers these are compared with. */
  readonly against?: string;
  /** Folder for the results, in the place of the one that they go to by themselves. */
  readonly out?: string;
}

export interface EvalResult {
  readonly evaluation: Evaluation;
  /** The HTML report. */
  readonly report: string;
}

export interface ExportOptions {
  readonly to: 'hf' | 'onnx' | 'transformers.js';
  readonly out: string;
  readonly dtype: 'float32' | 'float16' | 'bfloat16';
  /** Adds adapters into the weights they stand beside. */
  readonly merge: boolean;
  /** A folder in PEFT layout whose adapter goes with the model. */
  readonly adapter?: string | undefined;
}

/** What `data report` counts: rows kept, and rows refused by reason. */
export interface DataCounts {
  readonly source: string;
  readonly kept: number;
  /** Of those, the rows that the steps of the stage read; all when absent. */
  readonly used?: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly examples: readonly string[];
}

/** How the making of a pair set ended; `interrupted` when the signal stopped it, and the same call then goes on. */
export type FeedbackResult =
  | { readonly folder: string; readonly status: 'done'; readonly report: PairReport }
  | {
      readonly folder: string;
      readonly status: 'interrupted';
      /** Questions whose pairs are written, of all. */
      readonly done: number;
      readonly questions: number;
    };
