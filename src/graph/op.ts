import type { DType, Shape, Tensor } from '../base/index.ts';
import { TesseraError } from '../base/index.ts';
import type { Value } from './node.ts';

/** What is known of a tensor before it is computed. */
export interface Spec {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** One operator, whole: its shape rule, its derivative and its ONNX form stand together. */
export interface Op<A = unknown> {
  readonly name: string;
  /** Shapes and dtypes of the outputs; throws through `shapeFault` when the inputs do not fit. */
  infer(inputs: readonly Spec[], attrs: A): Spec | readonly Spec[];
  /**
   * Cotangents of the inputs from those of the outputs, undefined where there is none. It may return cotangents of a
   * broadcast shape: the reverse sweep sums them back. `null` says that the operator has no derivative.
   */
  readonly gradient: ((context: GradientContext<A>) => readonly (Value | undefined)[]) | null;
  /** Writes the operator; `null` only for graph inputs. */
  readonly emit: ((emitter: Emitter, inputs: readonly string[], attrs: A, context: EmitContext) => Emitted) | null;
}

export interface GradientContext<A> {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attrs: A;
  /** Cotangent of each output; undefined for an output that the loss does not read. */
  readonly cotangents: readonly (Value | undefined)[];
  /** True for each input whose cotangent is wanted; the others may be skipped. */
  readonly wanted: readonly boolean[];
}

export interface EmitContext {
  readonly inputs: readonly Spec[];
  readonly outputs: readonly Spec[];
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
