import type { Tensor } from '../base/index.ts';
import type { Unit, Units } from './objective.ts';

/** Some rows as the model's inputs. */
export interface Batch {
  readonly feeds: ReadonlyMap<string, Tensor>;
  /** What the terms of the loss are averaged over. */
  readonly units: Units;
  /** Rows of data, for rates. */
  readonly rows: number;
  /** Tokens fed, padding included, for rates. */
  readonly tokens: number;
}

/** The units of several batches together. */
export function totalUnits(batches: readonly Pick<Batch, 'units'>[]): Units {
  const total = (of: Unit) => batches.reduce((n, { units }) => n + (units[of] ?? 0), 0);
  const phrase = total('phrase');
  return { token: total('token'), sample: total('sample'), batch: total('batch'), ...(phrase > 0 && { phrase }) };
}

/**
 * All batches of one optimizer step. Those of a lane run one after another, the lanes side by side. What is in a lane
 * depends on the data alone, so that the number of threads changes no bit.
 */
export type Lanes = readonly (readonly Batch[])[];

/** What is known of a batch before it is read. */
export interface BatchSize {
  /** The feeds that decide which graph runs. */
  readonly feeds: readonly string[];
  /** Sizes by the names that the graph's inputs give them. */
  readonly sizes: ReadonlyMap<string, number>;
}

/** Batches by their place in the data, so that a run can start anywhere. */
export interface BatchSource {
  /** Batches of optimizer step `step` (from 0); a pure function of the step. */
  step(step: number): Promise<Lanes>;
  /** The most lanes that a step has. */
  readonly lanes: number;
  /** Optimizer steps in one pass over the data. */
  readonly stepsPerEpoch: number;
}
