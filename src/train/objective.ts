import type { DType, Fault, Named, Shape, Tensor } from '../base/index.ts';
import type { Example, Row } from '../data/index.ts';
import type { Graph, Value } from '../graph/index.ts';
import type { Capability, Model } from '../models/index.ts';
import type { ParameterStore, Scope } from '../nn/index.ts';

/** What a term of a loss is averaged over, in a whole optimizer step: supervised tokens, samples, batches, or pairs of phrases. */
export type Unit = 'token' | 'sample' | 'batch' | 'phrase';

/** How many of each unit there are. */
export type Units = Readonly<Record<Exclude<Unit, 'phrase'>, number> & Partial<Record<'phrase', number>>>;

/** What an objective builds its loss from. */
export interface Trace {
  readonly model: Model;
  readonly graph: Graph;
  /** The root of the parameters; those of the objective's own are below `objective`. */
  readonly p: Scope;
  /** The model's inputs as far as the batch brings them; `same` as for `declareInputs`. */
  inputs(same?: Named<string>): Named<Value>;
  /** One of the objective's own feeds. */
  feed(name: string, dtype: DType, shape: Shape): Value;
  /** `[]`: one over the number of such units of the whole step. A sum times its share is a mean however a step is split. */
  share(of: Unit): Value;
}

/** A run before the step whose outputs are feeds of the step. */
export interface Before {
  /** `own`: the weights that are trained, as they are. `reference`: those that the stage began with. */
  readonly weights: 'own' | 'reference';
  trace(t: Trace): Named<Value>;
  /** Its one output, where that may be kept from epoch to epoch: how many of its entries each row has, one row after another. */
  readonly kept?: { readonly feed: string; entries(row: Example): number } | undefined;
}

/** What a reference gives rows, made before the first step. */
export interface KeptReference {
  readonly feed: string;
  /** @throws TesseraError `train/no-reference` for a row that it was not asked for */
  of(row: Example): Float32Array;
}

/** An optimizer step that is over. */
export interface After {
  readonly model: Model;
  /** Parameters, and what objectives keep; a change lasts. */
  readonly store: ParameterStore;
  /** Whether the stage trains the parameter of a path. */
  readonly trained: (path: string) => boolean;
  /** From 1. */
  readonly step: number;
  /** What the trace gives as `seen`, of each batch of the step, always in the same order. */
  readonly seen: readonly Named<Tensor>[];
}

/** A training objective: one record a method. Its maths is a pure file of `objectives`. */
export interface Objective {
  readonly name: string;
  readonly needs: Capability;
  /** What it reads together, in the order of the rows of a batch: a sample is so many rows, one after another. */
  readonly views: readonly string[];
  /** Those of its views that it makes of the others, which are read; for one seed and sample always the same. */
  readonly makes?: Named<(read: Named<Row>, seed: number) => Row> | undefined;
  /** Whether it is a sum over samples, so that a batch may be halved. */
  readonly adds: boolean;
  /** Whether it has parameters of its own below `objective`, which begin and end with a stage. */
  readonly own?: true;
  /** What its terms are averaged over; the first is the number of targets that the log shows. */
  readonly units: readonly [keyof Omit<Units, 'phrase'>, ...Unit[]];
  /** Its feeds beside the model's inputs, for rows padded to `width`. */
  feeds(rows: readonly Example[], width: number): ReadonlyMap<string, Tensor>;
  /** The same feeds as sizes by their names, without reading anything. */
  sizes(rows: readonly Example[]): { readonly feeds: readonly string[]; readonly sizes: ReadonlyMap<string, number> };
  /** Pairs of phrases of some rows, where its terms are averaged over them. */
  readonly phrases?: (rows: readonly Example[]) => number;
  /** What makes a sample unfit, such as a pair without its image. */
  readonly fault?: ((rows: readonly Example[]) => Fault | undefined) | undefined;
  readonly before?: readonly Before[];
  /** `metrics` are sums over the batch, each times a share, as the loss is; `seen` is for `after`. */
  trace(t: Trace): { readonly loss: Value; readonly metrics?: Named<Value>; readonly seen?: Named<Value> };
  /** What is done when the optimizer has moved the parameters, such as care for codes that are never chosen; metrics of the step. */
  readonly after?: (done: After) => Named<number>;
}

/**
 * Below this path stands what an objective keeps from step to step and no gradient moves: it is asked for like parameters of its
 * own (`own`), and `after` changes it.
 */
export const KEPT = 'objective.kept';

/** Whether a path is one of an objective's own parameters. */
export const isOwnOfObjective = (path: string): boolean => path.startsWith('objective.');

/** Whether the optimizer has nothing to do with it, though it is the objective's own. */
export const isKeptByObjective = (path: string): boolean => path.startsWith(`${KEPT}.`);

/** What a method can be told. */
export interface MethodOption {
  readonly says: string;
  /** Unless told; a number is never negative. */
  readonly value: number | boolean;
}

/** A method as recipes name it. */
export interface Method {
  /** What it minimises, for a person. */
  readonly says: string;
  readonly options: Named<MethodOption>;
  objective(options: Named<number | boolean>): Objective;
}

/** A method whose objective is made from options of the types that its table has. */
export function method<const O extends Named<MethodOption>>(record: {
  readonly says: string;
  readonly options: O;
  objective(options: { readonly [K in keyof O]: O[K]['value'] extends boolean ? boolean : number }): Objective;
}): Method {
  return record as unknown as Method;
}

/** The views of an objective that rows are read for. */
export function readViews({ views, makes = {} }: Pick<Objective, 'views' | 'makes'>): readonly string[] {
  return views.filter((view) => !Object.hasOwn(makes, view));
}

/** How many of each unit some rows are. */
export function unitsOf({ views, phrases }: Objective, rows: readonly Example[], tokens: number): Units {
  return { token: tokens, sample: rows.length / views.length, batch: 1, ...(phrases && { phrase: phrases(rows) }) };
}
