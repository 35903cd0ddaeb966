import type { Answer } from '../data/index.ts';
import type { Recorded } from './against.ts';
import type { ItemRecord, TaskResult } from './results.ts';
import type { Pool, PoolRanking, Shot, Task } from './tasks/task.ts';

/** One question to a model. */
export interface Request {
  /** Path of an image file. */
  readonly image?: string;
  /** What is shown before it, in this order. */
  readonly shots?: readonly Shot[];
  readonly prompt: string;
  readonly maxTokens: number;
  /** The answer is an image for the prompt; or the image that is shown, as its file has it and once more from its codes. */
  readonly draws?: Task['draws'];
}

/** Whatever answers: a model in memory, a server, a script. The answer must be a function of the request. */
export interface Responder {
  readonly name: string;
  /** Answers in the order of the requests. */
  answer(requests: readonly Request[], signal?: AbortSignal): Promise<readonly Answer[]>;
  /** Unit vectors of images, by their paths: like images have like ones; absent where it has none. */
  vectors?(images: readonly string[], signal?: AbortSignal): Promise<ReadonlyMap<string, Float32Array>>;
  /** Searches a pool both ways; absent where it cannot. */
  search?(pool: Pool, options: SearchHooks): Promise<PoolRankings>;
}

/** Images ranked for each text of a pool, and texts for each image. */
export interface PoolRankings {
  readonly ofTexts: readonly PoolRanking[];
  readonly ofImages: readonly PoolRanking[];
}

export interface SearchHooks {
  readonly signal?: AbortSignal | undefined;
  /** @param what is counted, such as `images` */
  onProgress(what: string, done: number, total: number): void;
}

export interface Progress {
  readonly task: string;
  readonly run: ItemRecord['run'];
  /** Requests answered of this pass over the task. */
  readonly done: number;
  readonly total: number;
  /** What is counted; answers when absent. */
  readonly unit?: string;
}

export interface EvaluateOptions {
  /** Version of tessera, for the results. */
  readonly version: string;
  /** Number of images a task; all when absent. */
  readonly limit?: number;
  /** Seeds the shuffle of the blind run and the bootstrap; 0 unless told. */
  readonly seed?: number;
  /** Whether each task also runs with every image replaced by another one; true unless told. */
  readonly blind?: boolean;
  /** Requests a call of the responder; 16 unless told. */
  readonly batch?: number;
  /** 1,000 unless told. */
  readonly resamples?: number;
  /** How the responder picks tokens, for the results; `greedy` unless told. */
  readonly decoding?: string;
  /** The folder of questions and what the weights were rounded to, for the results. */
  readonly data?: string;
  readonly quantize?: string;
  /** Another model's answers to the same questions, which this one is compared with. */
  readonly against?: Recorded;
  /** ISO 8601; now unless told. */
  readonly date?: string;
  /** Called with the images of all questions before the first of them is asked. */
  readonly onImages?: (paths: readonly string[]) => Promise<void>;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** Called with each answer as soon as it is judged. */
  readonly onRecord?: (record: ItemRecord) => void;
}

/** A task made ready to be put to a responder. */
export interface Planned {
  /** Every image that it shows. */
  readonly images: readonly string[];
  /** Requests that it makes. */
  readonly requests: number;
  ask(): Promise<TaskResult>;
}
