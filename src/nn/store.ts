import { elementCount, formatShape, Random, sameShape, type Tensor, TesseraError } from '../base/index.ts';
import { initialize } from './init.ts';
import type { ParameterSpec } from './params.ts';

/** The host side of a parameter tree. */
export interface ParameterStore {
  /** In declaration order. */
  readonly tensors: ReadonlyMap<string, Tensor<'float32'>>;
  readonly specs: ReadonlyMap<string, ParameterSpec>;
}

/** A store whose tensors are views of one buffer. */
export interface FlatStore extends ParameterStore {
  readonly flat: Float32Array<ArrayBuffer>;
}

/** Lays parameters out in declaration order, all zero. */
export function allocateStore(specs: ReadonlyMap<string, ParameterSpec>): FlatStore {
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

/**
 * A store of the very tensors given, which other stores may hold too. Every parameter needs one of its shape; tensors that
 * are no parameters stay outside.
 */
export function storeOf(
  specs: ReadonlyMap<string, ParameterSpec>,
  given: ReadonlyMap<string, Tensor<'float32'>>,
): ParameterStore {
  const tensors = new Map<string, Tensor<'float32'>>();
  for (const [path, { shape }] of specs) {
    const tensor = given.get(path);
    if (!tensor || !sameShape(shape, tensor.shape)) throw mismatch(path, shape, tensor?.shape);
    tensors.set(path, tensor);
  }
  return { tensors, specs };
}

/** A store of its own with the same numbers. */
export function copyStore(store: ParameterStore): FlatStore {
  const copy = allocateStore(store.specs);
  fillStore(copy, store.tensors);
  return copy;
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
    if (!target || !sameShape(target.shape, source.shape)) throw mismatch(path, target?.shape, source.shape);
    target.data.set(source.data);
  }
}

function mismatch(path: string, expected: readonly number[] | undefined, got: readonly number[] | undefined) {
  const absent = expected ? 'a parameter has no value' : 'the model has no such parameter';
  return new TesseraError({
    code: 'nn/parameter-mismatch',
    message: expected && got ? 'a parameter has another shape' : absent,
    path,
    ...(expected && { expected: formatShape(expected) }),
    ...(got && { got: formatShape(got) }),
  });
}
