import { float32, formatShape, sameShape, type Tensor, TesseraError } from '../base/index.ts';
import { type Graph, less, type QuantizedMatrix, stopGradient, type Value, where } from '../graph/index.ts';
import type { Init } from './init.ts';

/** What a model asks for by name: one entry of its parameter tree. */
export interface ParameterSpec {
  readonly path: string;
  readonly shape: readonly number[];
  readonly init: Init;
  /** Set on the matrix of a linear layer: adapters may stand beside it, and it may be rounded. */
  readonly linear?: true | undefined;
}

/** Rank and scale of the adapter of one layer. */
export interface LoraRank {
  readonly r: number;
  readonly alpha: number;
}

/** Low-rank adaptation (Hu et al. 2021): `y = W x + alpha/r B(A x)` on the selected linear layers. */
export interface Lora extends LoraRank {
  /** True for the paths of the linear layers to adapt. */
  readonly targets: (path: string) => boolean;
  /** Rank and scale of a layer that has others. */
  readonly rankOf?: ((path: string) => LoraRank | undefined) | undefined;
  /** Scales by `alpha / sqrt(r)` (rsLoRA, Kalajdzievski 2023). */
  readonly stabilised?: boolean | undefined;
  /** Gives every row of the adapted weight a length of its own (DoRA, Liu et al. 2024). */
  readonly directional?: boolean | undefined;
  /** In training, zeroes elements of the low-rank path's input at `rate`. */
  readonly dropout?: { readonly rate: number; readonly seed: number };
}

/** What a trace may be given beside its graph. */
export interface TraceOptions {
  /** Adapters of every scope that names none. */
  readonly lora?: Lora | undefined;
  /** Further adapters over the same weights, by name; `Scope.adapted` chooses one. */
  readonly adapters?: ReadonlyMap<string, Lora> | undefined;
  /** int32 `[]`, fed anew at every step of training; without it nothing is dropped out. */
  readonly dropoutSeed?: Value | undefined;
  /** Parameters that become constants of the graph. */
  readonly held?: ReadonlyMap<string, Tensor<'float32'>> | undefined;
  /** Tables of which a gradient reaches these rows alone, by path. */
  readonly openRows?: Readonly<Record<string, readonly number[]>> | undefined;
  /** Matrices in few bits that linear layers take in the place of the parameter of that path. */
  readonly quantized?: ReadonlyMap<string, QuantizedMatrix> | undefined;
}

/** The parameters of one trace: asking for one declares it. */
export class ParameterTrace {
  readonly graph: Graph;
  readonly specs = new Map<string, ParameterSpec>();
  readonly values = new Map<string, Value>();
  readonly dropoutSeed: Value | undefined;
  readonly quantized: TraceOptions['quantized'];
  readonly #lora: Lora | undefined;
  readonly #adapters: TraceOptions['adapters'];
  readonly #held: TraceOptions['held'];
  readonly #openRows: TraceOptions['openRows'];
  /** What models get for a parameter, where that is not the input itself. */
  readonly #given = new Map<string, Value>();

  constructor(graph: Graph, options: TraceOptions = {}) {
    this.graph = graph;
    this.dropoutSeed = options.dropoutSeed;
    this.quantized = options.quantized;
    this.#lora = options.lora;
    this.#adapters = options.adapters;
    this.#held = options.held;
    this.#openRows = options.openRows;
  }

  root(): Scope {
    return new Scope(this, '', this.#lora && { lora: this.#lora, name: undefined });
  }

  /** @throws TesseraError `nn/adapter` */
  adapter(name: string): ScopeAdapter {
    const lora = this.#adapters?.get(name);
    if (lora) return { lora, name };
    const expected = [...(this.#adapters?.keys() ?? [])].join(', ') || '(none)';
    throw new TesseraError({ code: 'nn/adapter', message: 'the trace has no such adapter', expected, got: name });
  }

  declare(spec: ParameterSpec): Value {
    const known = this.specs.get(spec.path);
    if (!known) {
      this.specs.set(spec.path, spec);
      const held = this.#held?.get(spec.path);
      const value = held ? this.graph.constant(held) : this.graph.input(spec.path, 'float32', spec.shape);
      this.values.set(spec.path, value);
      const rows = this.#openRows?.[spec.path];
      if (rows) this.#given.set(spec.path, withOpenRows(value, rows));
      return this.#given.get(spec.path) ?? value;
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
    return this.#given.get(spec.path) ?? (this.values.get(spec.path) as Value);
  }
}

/** The table itself, whose gradient is zero but in these rows. */
function withOpenRows(table: Value, rows: readonly number[]): Value {
  const count = table.shape[0] as number;
  const mask = Float32Array.from({ length: count }, (_, row) => (rows.includes(row) ? 1 : 0));
  const column = float32([count, ...table.shape.slice(1).map(() => 1)], mask);
  const { graph } = table.node;
  return where(less(graph.constant(float32([], [0.5])), graph.constant(column)), table, stopGradient(table));
}

/** The adapter that a scope's layers get. */
interface ScopeAdapter {
  readonly lora: Lora;
  /** Part of its parameters' names; the trace's own adapter has none. */
  readonly name: string | undefined;
}

/** A place in the parameter tree, with the adapter that its layers get, if any. */
export class Scope {
  readonly trace: ParameterTrace;
  readonly path: string;
  readonly adapter: ScopeAdapter | undefined;

  constructor(trace: ParameterTrace, path: string, adapter: ScopeAdapter | undefined) {
    this.trace = trace;
    this.path = path;
    this.adapter = adapter;
  }

  get graph(): Graph {
    return this.trace.graph;
  }

  /** The place below; `name` may hold dots. */
  at(name: string | number): Scope {
    return new Scope(this.trace, this.path ? `${this.path}.${name}` : `${name}`, this.adapter);
  }

  /** The same place without adapters: a policy's reference is its own base. */
  plain(): Scope {
    return new Scope(this.trace, this.path, undefined);
  }

  /**
   * The same place with another adapter of the trace: a critic over the weights of the policy, say.
   * @throws TesseraError `nn/adapter`
   */
  adapted(name: string): Scope {
    return new Scope(this.trace, this.path, this.trace.adapter(name));
  }

  /** The parameter `name` of this place. @param more what else its spec says */
  param(name: string, shape: readonly number[], init: Init, more: Pick<ParameterSpec, 'linear'> = {}): Value {
    return this.trace.declare({ path: this.at(name).path, shape, init, ...more });
  }

  /** Builds nodes whose module path is this place. */
  build<T>(make: () => T): T {
    return this.graph.within(this.path, make);
  }
}
