import type { Shape } from '../base/index.ts';
import { inputShape, mediaCacheBytes } from '../data/index.ts';
import { overlap, type RunMemory, runMemory } from '../runtime/index.ts';
import type { BatchSize } from './batch.ts';
import type { Stage } from './loop.ts';
import { type TraceOptions, traceProgram } from './program.ts';

/** Bytes that a stage is going to need, foretold before its first step. */
export interface MemoryPlan {
  /** What the process holds already: program, data and weights. */
  readonly resident: number;
  /** The part of it that is weights. */
  readonly weights: number;
  readonly gradients: number;
  /** Both moments of AdamW. */
  readonly moments: number;
  /** Intermediate results of the largest batch, of every graph that stays ready: each keeps its most. */
  readonly activations: number;
  /** Images kept ready, and those of the batches under way. */
  readonly images: number;
  /** Sessions of ONNX Runtime, without their intermediate results. */
  readonly runtime: number;
  /** All of it. */
  readonly peak: number;
  /** Sizes of the batch that takes most, by their names in the graph. */
  readonly largest: Readonly<Record<string, number>>;
  /** How many batches of that size are computed at the same time. */
  readonly atOnce: number;
}

/** The part of a stage that decides its memory. */
export interface PlannedStage
  extends Pick<Stage, 'engine' | 'model' | 'reader' | 'store' | 'objective' | 'trainable' | 'lora' | 'recompute'> {
  readonly batches: readonly BatchSize[];
  /** Of the different images among the batches, the leading size of what each is read as. */
  readonly media: readonly number[];
  readonly accumulate: number;
  /** The most lanes that a step has. */
  readonly lanes: number;
  /** Batches of held-out rows whose loss is computed between steps. */
  readonly evaluation: readonly BatchSize[];
  /** True when the moments are there already, as after a resume. */
  readonly resumed: boolean;
}

/** Measured: a session with its library, its model and its threads, and what each operator adds. */
const SESSION_BYTES = 10 * 2 ** 20;
const NODE_BYTES = 12 * 2 ** 10;

/**
 * Plans the memory of a stage from its graphs and the sizes of its batches.
 * @param resident bytes of the process with the weights in place.
 */
export function planMemory(stage: PlannedStage, resident: number): MemoryPlan {
  const paths = [...stage.store.tensors.keys()].filter(stage.trainable);
  const trainable = 4 * paths.reduce((n, path) => n + (stage.store.tensors.get(path)?.data.length ?? 0), 0);
  const training = largestRuns(stage.batches, { ...stage, trained: paths });
  const evaluation = largestRuns(stage.evaluation, stage);
  const largest = training.reduce((a, b) => (a.activations < b.activations ? b : a)).batch;
  const { atOnce } = overlap(stage.engine, stage.lanes);
  const parts = {
    gradients: trainable * stage.lanes * (stage.accumulate > 1 ? 2 : 1),
    moments: stage.resumed ? 0 : 2 * trainable,
    // The lanes of a step are of about the same size.
    activations: atOnce * sum(training, mostOf) + sum(evaluation, mostOf),
    images: mediaBytes(stage),
    // The optimizer's session is one more.
    runtime: SESSION_BYTES + sum([...training, ...evaluation], (run) => SESSION_BYTES + NODE_BYTES * run.nodes),
  };
  return {
    resident,
    weights: sum([...stage.store.tensors.values()], ({ data }) => data.byteLength),
    ...parts,
    peak: resident + sum(Object.values(parts), (bytes) => bytes),
    largest: Object.fromEntries(largest.sizes),
    atOnce,
  };
}

const mostOf = ({ activations }: RunMemory): number => activations;

interface LargestRun extends RunMemory {
  readonly batch: BatchSize;
}

/** For every graph that the batches need, the batch that takes most. */
function largestRuns(batches: readonly BatchSize[], options: TraceOptions): LargestRun[] {
  const kinds = new Map<string, BatchSize[]>();
  for (const batch of batches) {
    const key = batch.feeds.join(' ');
    const kind = kinds.get(key);
    if (kind) kind.push(batch);
    else kinds.set(key, [batch]);
  }
  return [...kinds.values()].map((kind) => {
    const { outputs } = traceProgram(options, (kind[0] as BatchSize).feeds);
    return extremes(kind)
      .map((batch) => ({ ...runMemory(outputs, batch.sizes), batch }))
      .reduce((a, b) => (a.activations < b.activations ? b : a));
  });
}

/** The batches with the most tokens, and the most of every size: one of them takes most memory. */
function extremes(batches: readonly BatchSize[]): BatchSize[] {
  const of = (batch: BatchSize, name: string) => batch.sizes.get(name) ?? 0;
  const names = new Set(batches.flatMap(({ sizes }) => [...sizes.keys()]));
  const measures = [
    (b: BatchSize) => of(b, 'B') * of(b, 'T'),
    (b: BatchSize) => of(b, 'B') * of(b, 'T') ** 2,
    ...[...names].filter((name) => name !== 'B' && name !== 'T').map((name) => (b: BatchSize) => of(b, name)),
  ];
  return [...new Set(measures.map((size) => batches.reduce((a, b) => (size(a) < size(b) ? b : a))))];
}

/** What is read from media and kept, and that of the batch of the running step and of the one that is read meanwhile. */
function mediaBytes({ media, model, reader, batches, accumulate, lanes }: PlannedStage): number {
  const { inputs } = reader ?? model.processor();
  const read = Object.entries(inputs).filter(([, { join }]) => join === 'flat');
  const bytesOf = (shape: Shape) => 4 * shape.slice(1).reduce<number>((n, d) => n * (d as number), 1);
  const each = sum(read, ([, { shape }]) => bytesOf(shape));
  const most = batches.reduce((n, { feeds, sizes }) => {
    const brought = new Set(feeds);
    const bytes = sum(read, ([name]) => {
      const shape = inputShape(inputs, name, brought);
      return (sizes.get(String(shape[0])) ?? 0) * bytesOf(shape);
    });
    return Math.max(n, bytes);
  }, 0);
  return Math.min(mediaCacheBytes, each * sum(media, (count) => count)) + 2 * accumulate * lanes * most;
}

function sum<T>(items: readonly T[], bytes: (item: T) => number): number {
  return items.reduce((n, item) => n + bytes(item), 0);
}
