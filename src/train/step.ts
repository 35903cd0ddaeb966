import { allEnded } from '../base/index.ts';
import { overlap } from '../runtime/index.ts';
import type { Batch, Lanes } from './batch.ts';
import { allocateGradients, type GradientBuffer, GradientSum } from './gradients.ts';
import type { Units } from './objective.ts';
import { type BatchLoss, LossProgram, type ProgramOptions } from './program.ts';

export interface StepOptions extends Omit<ProgramOptions, 'trained' | 'threads'> {
  /** Receives the gradients of a step; what it holds is what is trained. */
  readonly gradients: GradientBuffer;
  /** The most lanes of a step. */
  readonly lanes: number;
}

/**
 * Loss and gradients of whole optimizer steps. On two threads each of two lanes has one: they wait for each other once a
 * step, and not at every operator, which costs more the more others use the machine. Further threads are shared.
 */
export class StepProgram {
  readonly #options: StepOptions;
  readonly #program: LossProgram;
  /** A buffer for each lane, the first being that of the step. */
  readonly #sums: readonly GradientBuffer[];
  /** Receives the second and later batches of a lane. */
  readonly #parts: GradientBuffer[] = [];
  #adder: Promise<GradientSum> | undefined;

  constructor(options: StepOptions) {
    const { engine, gradients, lanes } = options;
    this.#options = options;
    this.#program = new LossProgram({
      ...options,
      trained: [...gradients.tensors.keys()],
      threads: overlap(engine, lanes).threads,
    });
    this.#sums = [gradients, ...Array.from({ length: lanes - 1 }, () => this.#buffer())];
  }

  /** The loss of a step and its metrics, every term divided by its number in `totals`. */
  async run(lanes: Lanes, totals: Units, signal?: AbortSignal): Promise<BatchLoss> {
    const losses = await this.#losses(lanes, totals, signal);
    const [sum, ...others] = this.#sums.slice(0, lanes.length) as [GradientBuffer, ...GradientBuffer[]];
    for (const other of others) await this.#add(sum, other);
    return losses.reduce(addLosses);
  }

  async dispose(): Promise<void> {
    await this.#program.dispose();
    (await this.#adder)?.dispose();
  }

  async #losses(lanes: Lanes, totals: Units, signal?: AbortSignal): Promise<BatchLoss[]> {
    const { engine, lanes: most } = this.#options;
    const run = (lane: readonly Batch[], i: number) => this.#lane(lane, i, totals, signal);
    if (overlap(engine, most).atOnce > 1) return allEnded(lanes.map(run));
    const losses: BatchLoss[] = [];
    for (const [i, lane] of lanes.entries()) losses.push(await run(lane, i));
    return losses;
  }

  async #lane(batches: readonly Batch[], lane: number, totals: Units, signal?: AbortSignal): Promise<BatchLoss> {
    const sum = this.#sums[lane] as GradientBuffer;
    const losses: BatchLoss[] = [];
    for (const [i, batch] of batches.entries()) {
      const into = i === 0 ? sum : this.#part(lane);
      losses.push(await this.#program.run(batch, totals, { into, ...(signal && { signal }) }));
      if (i > 0) await this.#add(sum, into);
    }
    return losses.reduce(addLosses);
  }

  async #add(sum: GradientBuffer, part: GradientBuffer): Promise<void> {
    this.#adder ??= GradientSum.open(this.#options.engine);
    await (await this.#adder).add(sum, part);
  }

  #part(lane: number): GradientBuffer {
    this.#parts[lane] ??= this.#buffer();
    return this.#parts[lane];
  }

  #buffer(): GradientBuffer {
    const { store, gradients } = this.#options;
    return allocateGradients(store, (path) => gradients.tensors.has(path));
  }
}

function addLosses(a: BatchLoss, b: BatchLoss): BatchLoss {
  const names = new Set([...Object.keys(a.metrics), ...Object.keys(b.metrics)]);
  const metrics = [...names].map((name) => [name, (a.metrics[name] ?? 0) + (b.metrics[name] ?? 0)] as const);
  return { loss: a.loss + b.loss, metrics: Object.fromEntries(metrics), seen: [...a.seen, ...b.seen] };
}
