import type { Batch, Lanes } from './batch.ts';
import { allocateGradients, type GradientBuffer, GradientSum } from './gradients.ts';
import { LossProgram, type ProgramOptions } from './program.ts';

export interface StepOptions extends Omit<ProgramOptions, 'trained' | 'threads'> {
  /** Receives the gradients of a step; what it holds is what is trained. */
  readonly gradients: GradientBuffer;
  /** The most lanes of a step. */
  readonly lanes: number;
}

/**
 * Loss and gradients of whole optimizer steps. A lane takes one thread where there are enough: two lanes wait for each
 * other once a step, and not at every operator, which costs more the more others use the machine.
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
      // One thread of each lane calls ONNX Runtime and works there; the session has the others.
      threads: this.#sideBySide ? engine.threads - lanes + 1 : engine.threads,
    });
    this.#sums = [gradients, ...Array.from({ length: lanes - 1 }, () => this.#buffer())];
  }

  /** The loss of a step, its terms multiplied by `scale`. */
  async run(lanes: Lanes, scale: number, signal?: AbortSignal): Promise<number> {
    const losses: number[] = [];
    if (this.#sideBySide) {
      // All have to end, even if one fails: they write into memory that is used again.
      const ended = await Promise.allSettled(lanes.map((lane, i) => this.#lane(lane, i, scale, signal)));
      for (const result of ended) {
        if (result.status === 'rejected') throw result.reason;
        losses.push(result.value);
      }
    } else for (const [i, lane] of lanes.entries()) losses.push(await this.#lane(lane, i, scale, signal));
    const [sum, ...others] = this.#sums.slice(0, lanes.length) as [GradientBuffer, ...GradientBuffer[]];
    for (const other of others) await this.#add(sum, other);
    return losses.reduce((a, b) => a + b, 0);
  }

  async dispose(): Promise<void> {
    await this.#program.dispose();
    (await this.#adder)?.dispose();
  }

  get #sideBySide(): boolean {
    const { engine, lanes } = this.#options;
    return lanes > 1 && engine.canOverlap && engine.threads >= lanes;
  }

  async #lane(batches: readonly Batch[], lane: number, scale: number, signal?: AbortSignal): Promise<number> {
    const sum = this.#sums[lane] as GradientBuffer;
    let loss = 0;
    for (const [i, batch] of batches.entries()) {
      const into = i === 0 ? sum : this.#part(lane);
      loss += await this.#program.run(batch, scale, { into, ...(signal && { signal }) });
      if (i > 0) await this.#add(sum, into);
    }
    return loss;
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
