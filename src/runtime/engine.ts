import type { DType, Shape, Tensor } from '../base/index.ts';
import type { Target } from '../onnx/index.ts';
import type { Ledger } from './ledger.ts';

/**
 * A way to ONNX Runtime: its C API or the npm binding on the processor, the npm binding on a GPU by WebGPU, and
 * WebAssembly in browsers.
 */
export type Backend = NodeBackend | 'wasm';
export type NodeBackend = 'c-api' | 'binding' | 'webgpu';

/** An input or output of a session; text dimensions are sizes that a run decides. */
export interface Port {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

export interface SessionOptions {
  /** Names the session in errors and in the file that keeps a refused model. */
  readonly name?: string;
  /** Threads within an operator; the engine's number by default. */
  readonly threads?: number;
}

export interface RunOptions {
  /** Tensors that receive outputs. Their arrays may be views into bigger buffers. */
  readonly into?: ReadonlyMap<string, Tensor>;
  /** Outputs wanted besides those of `into`; all by default. */
  readonly fetch?: readonly string[];
  readonly signal?: AbortSignal;
}

/**
 * A model ready to run. Every array given to a run must keep its memory until the run has ended: it may be read and
 * written from another thread.
 */
export interface Session {
  readonly name: string;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /**
   * Runs the model without blocking the event loop (the binding does block it).
   * @returns the outputs by name; those of `into` are the very tensors given.
   * @throws TesseraError `runtime/feed` and `runtime/target` for tensors that do not fit, `runtime/run-failed` with ONNX
   * Runtime's text, `runtime/cancelled` when the signal stopped it.
   */
  run(feeds: ReadonlyMap<string, Tensor>, options?: RunOptions): Promise<Map<string, Tensor>>;
  /**
   * Fixes the tensors of a run, for loops in which only the contents of the arrays change. Outputs that `into` does
   * not name are not fetched.
   */
  bind(feeds: ReadonlyMap<string, Tensor>, into: ReadonlyMap<string, Tensor>): BoundRun;
  /** Frees the session once the runs under way have ended. Any later use throws `runtime/disposed`. */
  dispose(): void;
}

/** A run over fixed tensors. One run at a time. */
export interface BoundRun {
  run(signal?: AbortSignal): Promise<void>;
  release(): void;
}

/** The seam to ONNX Runtime. */
export interface Engine {
  readonly name: Backend;
  /** What models are lowered for. */
  readonly target: Target;
  /** Version of ONNX Runtime. */
  readonly version: string;
  readonly threads: number;
  /** Whether runs may be under way at the same time, on threads of their own. */
  readonly canOverlap: boolean;
  readonly ledger: Ledger;
  /**
   * Builds a session from a serialised model.
   * @throws TesseraError `runtime/model-refused`, whose `path` names the file in which the model is kept.
   */
  createSession(model: Uint8Array, options?: SessionOptions): Promise<Session>;
}
