import type { DType, Shape, Tensor } from '../base/index.ts';
import { TesseraError } from '../base/index.ts';
import type { Value } from './node.ts';

/** What is known of a tensor before it is computed. */
export interface Spec {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** The values that an operator takes or makes, in order. */
export type Values = readonly Value[];

/** One for each value of `I`. */
export type Each<I extends Values, T> = { readonly [K in keyof I]: T };

/**
 * One operator, whole: its shape rule, its derivative and its ONNX form stand together. `I` has its operands, such as
 * `[Value, Value]`, or a union of such lists where the last ones are optional. `O` has what it makes.
 */
export interface Op<A, I extends Values, O extends Values = readonly [Value]> {
  readonly name: string;
  /** Shapes and dtypes of the outputs; throws through `shapeFault` when the inputs do not fit. */
  infer(inputs: Each<I, Spec>, attrs: A): O extends readonly [Value] ? Spec : Each<O, Spec>;
  /** `null` says that the operator has no derivative. */
  readonly gradient: Gradient<A, I, O> | null;
  /** Writes the operator; `null` only for graph inputs. */
  readonly emit: Emit<A, I, O> | null;
}

/** An operator of which nothing is known but its name, as a node has it. */
export type AnyOp = Op<unknown, Values, Values | readonly [Value]>;

/**
 * Cotangents of the inputs from those of the outputs, undefined where there is none. It may return cotangents of a
 * broadcast shape: the reverse sweep sums them back.
 */
export type Gradient<A, I extends Values, O extends Values = readonly [Value]> = (
  context: GradientContext<A, I, O>,
) => Each<I, Value | undefined>;

export interface GradientContext<A, I extends Values, O extends Values> {
  readonly inputs: I;
  readonly outputs: O;
  readonly attrs: A;
  /** Cotangent of each output; of several, undefined for one that the loss does not read. */
  readonly cotangents: O extends readonly [Value] ? O : Each<O, Value | undefined>;
  /** True for each input whose cotangent is wanted; the others may be skipped. */
  readonly wanted: Each<I, boolean>;
}

/** Writes an operator on the named inputs and returns the names of its outputs. */
export type Emit<A, I extends Values, O extends Values = readonly [Value]> = (
  emitter: Emitter,
  inputs: Each<I, string>,
  attrs: A,
  context: EmitContext<I, O>,
) => Emitted;

export interface EmitContext<I extends Values, O extends Values> {
  readonly inputs: Each<I, Spec>;
  readonly outputs: Each<O, Spec>;
}

export type Emitted = string | readonly string[];

export type EmitAttribute =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly floats: readonly number[] };

/** The small surface an operator writes to; the onnx room implements it. Integers become ONNX ints. */
export interface Emitter {
  node(
    opType: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, EmitAttribute>>,
    domain?: string,
  ): string;
  nodes(
    opType: string,
    outputs: number,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, EmitAttribute>>,
    domain?: string,
  ): readonly string[];
  constant(tensor: Tensor): string;
  /** A 1-D int64 tensor of the dimensions, computed at run time where they are symbolic. */
  dims(shape: Shape): string;
}

/** The domain of ONNX Runtime's own operators. */
export const MICROSOFT = 'com.microsoft';

/** Refuses inputs inside an `infer`; the graph adds the operator, its inputs and the module path. */
export function shapeFault(message: string, detail: { expected?: string; got?: string } = {}): TesseraError {
  return new TesseraError({ code: 'graph/shape', message, ...detail });
}

export function isFloat(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float64' || dtype === 'float16' || dtype === 'bfloat16';
}

/** Refuses operands of different dtypes: nothing is widened silently. */
export function sameDtype(inputs: readonly Spec[]): DType {
  const [first, ...rest] = inputs;
  if (!first) throw shapeFault('needs at least one input');
  const other = rest.find((x) => x.dtype !== first.dtype);
  if (other) throw shapeFault('operands differ in dtype', { expected: first.dtype, got: other.dtype });
  return first.dtype;
}
