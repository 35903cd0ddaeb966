import { elementCount, formatShape, Random, sameShape, type Tensor, TesseraError } from '../base/index.ts';
import { initialize } from './init.ts';
import type { ParameterSpec } from './params.ts';

/** The host side of a parameter tree: one flat buffer, and a view of it for each path. */
export interface ParameterStore {
  readonly flat: Float32Array<ArrayBuffer>;
  readonly tensors: ReadonlyMap<string, Tensor<'float32'>>;
  readonly specs: ReadonlyMap<string, ParameterSpec>;
}

/** Lays parameters out in declaration order, all zero. */
export function allocateStore(specs: ReadonlyMap<string, ParameterSpec>): ParameterStore {
  const total = [...specs.values()].reduce((n, spec) => n + elementCount(spec.shape), 0);
  const flat = new Float32Array(total);
  const tensors = new Map<string, Tensor<'float32'>>();
  let at = 0;
  for (const { path, shape } of specs.values()) {
    const size = elementCount(shape);
    tensors.set(path, { dtype: 'float32', shape, data: flat.subarray(at, at + size) });
    at += size;
  }
  return { flat, tensors, specs };
}

/** Starts every parameter as its spec says, each from a stream of its own, so that adding one changes no other. */
export function initializeStore(store: ParameterStore, seed: number): void {
  for (const [path, spec] of store.specs) {
    initialize((store.tensors.get(path) as Tensor<'float32'>).data, spec.init, new Random(seed, 'init', path));
  }
}

/** Copies tensors into a store by path; every tensor must have its place and its shape. */
export function fillStore(store: ParameterStore, tensors: ReadonlyMap<string, Tensor<'float32'>>): void {
  for (const [path, source] of tensors) {
    const target = store.tensors.get(path);
    if (!target || !sameShape(target.shape, source.shape)) {
      throw new TesseraError({
        code: 'nn/parameter-mismatch',
        message: target ? 'a parameter has another shape' : 'the model has no such parameter',
        path,
        ...(target && { expected: formatShape(target.shape) }),
        got: formatShape(source.shape),
      });
    }
    target.data.set(source.data);
  }
}
