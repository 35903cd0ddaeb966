import type { Tensor } from '../base/index.ts';

/** One micro-batch as the model's inputs. */
export interface Batch {
  readonly feeds: ReadonlyMap<string, Tensor>;
  /** Terms of the loss: supervised tokens, or 1 for a loss that is a mean already. */
  readonly targets: number;
  /** Rows of data, for rates. */
  readonly rows: number;
  /** Tokens fed, padding included, for rates. */
  readonly tokens: number;
}

/** What is known of a batch before it is read. */
export interface BatchSize {
  /** The feeds that decide which graph runs. */
  readonly feeds: readonly string[];
  /** Sizes by the names that the graph's inputs give them. */
  readonly sizes: ReadonlyMap<string, number>;
}

/** Batches by their place in the data, so that a run can start anywhere. */
export interface BatchSource {
  /** Micro-batches of optimizer step `step` (from 0); a pure function of the step. */
  step(step: number): Promise<readonly Batch[]>;
  /** Optimizer steps in one pass over the data. */
  readonly stepsPerEpoch: number;
}
