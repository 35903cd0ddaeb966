import type { Tensor } from '../base/index.ts';
import type { CacheShape } from '../models/index.ts';

/** Names of the tensors of one layer: a step reads `cache.*` and writes `present.*`, which are the same memory. */
export const cacheNames = {
  past: (part: 'key' | 'value', layer: number) => `cache.${part}.${layer}`,
  present: (part: 'key' | 'value', layer: number) => `present.${part}.${layer}`,
};

/** Keys and values of B rows over C positions: for each layer and part a tensor `[B, kvHeads, C, headSize]`. */
export class KeyValueCache {
  readonly capacity: number;
  readonly buffer: Float32Array<ArrayBuffer>;
  readonly #shape: CacheShape;
  readonly #rows: number;

  /** @param buffer at least `KeyValueCache.size(..)` numbers; what they are does not matter */
  constructor(shape: CacheShape, rows: number, capacity: number, buffer: Float32Array<ArrayBuffer>) {
    this.#shape = shape;
    this.#rows = rows;
    this.capacity = capacity;
    this.buffer = buffer;
  }

  static size(shape: CacheShape, rows: number, capacity: number): number {
    return 2 * shape.layers * rows * shape.kvHeads * capacity * shape.headSize;
  }

  /** Tensors of rows `from` to `from + count`, as feeds and as targets of a run. */
  tensors(from: number, count: number): { feeds: [string, Tensor][]; into: [string, Tensor][] } {
    const { kvHeads, headSize } = this.#shape;
    const shape = [count, kvHeads, this.capacity, headSize];
    const feeds: [string, Tensor][] = [];
    const into: [string, Tensor][] = [];
    for (const { part, layer, at } of this.#parts()) {
      const data = this.buffer.subarray(at + from * this.#rowSize, at + (from + count) * this.#rowSize);
      const tensor: Tensor = { dtype: 'float32', shape, data };
      feeds.push([cacheNames.past(part, layer), tensor]);
      into.push([cacheNames.present(part, layer), tensor]);
    }
    return { feeds, into };
  }

  /** Copies one row over another. */
  move(from: number, to: number): void {
    const size = this.#rowSize;
    for (const { at } of this.#parts())
      this.buffer.copyWithin(at + to * size, at + from * size, at + (from + 1) * size);
  }

  get #rowSize(): number {
    return this.#shape.kvHeads * this.capacity * this.#shape.headSize;
  }

  *#parts(): Iterable<{ part: 'key' | 'value'; layer: number; at: number }> {
    let at = 0;
    for (let layer = 0; layer < this.#shape.layers; layer++)
      for (const part of ['key', 'value'] as const) {
        yield { part, layer, at };
        at += this.#rows * this.#rowSize;
      }
  }
}
