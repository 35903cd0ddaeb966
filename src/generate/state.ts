import { evaluateDim, type Named, type Shape, type Tensor } from '../base/index.ts';
import type { Port } from '../runtime/index.ts';

/** Names of a part of the state: a step reads `cache.*` and writes `present.*`, which are the same memory. */
export const stateNames = {
  past: (part: string) => `cache.${part}`,
  present: (part: string) => `present.${part}`,
};

/** Sizes by the names that shapes of a state have; `B` is not among them. */
export type StateSizes = ReadonlyMap<string, number>;

interface Part {
  readonly name: string;
  /** Of one row. */
  readonly shape: readonly number[];
  readonly at: number;
  readonly rowSize: number;
}

/** What a model keeps of the B rows under way: a tensor `[B, ..]` for each part that it declares, in one buffer. */
export class StateMemory {
  readonly buffer: Float32Array<ArrayBuffer>;
  readonly sizes: StateSizes;
  readonly #parts: readonly Part[];

  /**
   * @param shapes a shape for each part, whose first size is `B`
   * @param spare used where it is large enough; what it holds does not matter
   */
  constructor(shapes: Named<Shape>, rows: number, sizes: StateSizes, spare?: Float32Array<ArrayBuffer>) {
    let total = 0;
    this.#parts = Object.entries(shapes).map(([name, [, ...rest]]) => {
      const shape = rest.map((dim) => evaluateDim(dim, sizes));
      const rowSize = shape.reduce((a, b) => a * b, 1);
      const at = total;
      total += rows * rowSize;
      return { name, shape, at, rowSize };
    });
    this.sizes = sizes;
    this.buffer = spare && spare.length >= total ? spare : new Float32Array(total);
  }

  /**
   * Rows `from` to `from + count`, as feeds and as targets of a run.
   * @param ports what the run reads and writes; a part that it does neither with is left out
   */
  tensors(
    from: number,
    count: number,
    ports: { readonly inputs: readonly Port[]; readonly outputs: readonly Port[] },
  ): { feeds: [string, Tensor][]; into: [string, Tensor][] } {
    const named = (list: readonly Port[]) => new Set(list.map(({ name }) => name));
    const [read, written] = [named(ports.inputs), named(ports.outputs)];
    const tensors = this.#parts.map(({ name, shape, at, rowSize }): [string, Tensor] => {
      const data = this.buffer.subarray(at + from * rowSize, at + (from + count) * rowSize);
      return [name, { dtype: 'float32', shape: [count, ...shape], data }];
    });
    const under = (names: (part: string) => string, known: ReadonlySet<string>) =>
      tensors.map(([name, t]): [string, Tensor] => [names(name), t]).filter(([name]) => known.has(name));
    return { feeds: under(stateNames.past, read), into: under(stateNames.present, written) };
  }

  /** Copies one row over another. */
  move(from: number, to: number): void {
    for (const { at, rowSize } of this.#parts)
      this.buffer.copyWithin(at + to * rowSize, at + from * rowSize, at + (from + 1) * rowSize);
  }
}
