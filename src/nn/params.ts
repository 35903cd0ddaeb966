import { formatShape, sameShape, type Tensor, TesseraError } from '../base/index.ts';
import type { Graph, QuantizedMatrix, Value } from '../graph/index.ts';
import type { Init } from './init.ts';

/** What a model asks for by name: one entry of its parameter tree. */
export interface ParameterSpec {
  readonly path: string;
  readonly shape: readonly number[];
  readonly init: Init;
}

/** Low-rank adaptation (Hu et al. 2021): `y = W x + alpha/r B(A x)` on the selected linear layers. */
export interface Lora {
  readonly r: number;
  readonly alpha: number;
  /** True for the paths of the linear layers to adapt. */
  readonly targets: (path: string) => boolean;
  /** In training, zeroes elements of the low-rank path's input at `rate`. */
  readonly dropout?: { readonly rate: number; readonly seed: number };
}

/** What a trace may be given beside its graph. */
export interface TraceOptions {
  readonly lora?: Lora | undefined;
  /** int32 `[]`, fed anew at every step of training; without it nothing is dropped out. */
  readonly dropoutSeed?: Value | undefined;
  /** Parameters that become constants of the graph. */
  readonly held?: ReadonlyMap<string, Tensor<'float32'>> | undefined;
  /** Matrices in few bits that linear layers take in the place of the parameter of that path. */
  readonly quantized?: ReadonlyMap<string, QuantizedMatrix> | undefined;
}

/** The parameters of one trace: asking for one declares it. */
export class ParameterTrace {
  readonly graph: Graph;
  readonly specs = new Map<string, ParameterSpec>();
  readonly values = new Map<string, Value>();
  readonly lora: Lora | undefined;
  readonly dropoutSeed: Value | undefined;
  readonly quantized: TraceOptions['quantized'];
  readonly #held: TraceOptions['held'];

  constructor(graph: Graph, options: TraceOptions = {}) {
    this.graph = graph;
    this.lora = options.lora;
    this.dropoutSeed = options.dropoutSeed;
    this.quantized = options.quantized;
    this.#held = options.held;
  }

  root(): Scope {
    return new Scope(this, '');
  }

  declare(spec: ParameterSpec): Value {
    const known = this.specs.get(spec.path);
    if (!known) {
      this.specs.set(spec.path, spec);
      const held = this.#held?.get(spec.path);
      const value = held ? this.graph.constant(held) : this.graph.input(spec.path, 'float32', spec.shape);
      this.values.set(spec.path, value);
      return value;
    }
    if (!sameShape(known.shape, spec.shape)) {
      throw new TesseraError({
        code: 'nn/parameter-shape',
        message: 'a shared parameter is asked for with two shapes',
        path: spec.path,
        expected: formatShape(known.shape),
        got: formatShape(spec.shape),
      });
    }
    return this.values.get(spec.path) as Value;
  }
}

/** A place in the parameter tree. */
export class Scope {
  readonly trace: ParameterTrace;
  readonly path: string;

  constructor(trace: ParameterTrace, path: string) {
    this.trace = trace;
    this.path = path;
  }

  get graph(): Graph {
    return this.trace.graph;
  }

  /** The place below; `name` may hold dots. */
  at(name: string | number): Scope {
    return new Scope(this.trace, this.path ? `${this.path}.${name}` : `${name}`);
  }

  /** The parameter `name` of this place. */
  param(name: string, shape: readonly number[], init: Init): Value {
    return this.trace.declare({ path: this.at(name).path, shape, init });
  }

  /** Builds nodes whose module path is this place. */
  build<T>(make: () => T): T {
    return this.graph.within(this.path, make);
  }
}
