import type { DType, Shape, Tensor } from '../base/index.ts';
import { addDims, formatShape, TesseraError } from '../base/index.ts';
import type { AnyOp, Each, Op, Spec, Values } from './op.ts';

/** A tensor that a graph will compute: one output of one node. */
export interface Value extends Spec {
  readonly node: Node;
  readonly index: number;
}

/** One application of an operator. */
export interface Node {
  readonly id: number;
  readonly graph: Graph;
  readonly op: AnyOp;
  readonly inputs: Values;
  readonly attrs: unknown;
  readonly outputs: Values;
  /** Module path at which the node was made, such as `model.layers.0.self_attn/MatMul`. */
  readonly path: string;
}

export interface GraphOptions {
  /** When false, every fused function is replaced by its decomposition. */
  readonly fusion?: boolean;
  /** When true, the reverse sweep computes segments once more where it would otherwise keep their insides. */
  readonly recompute?: boolean;
}

/** Nodes `from..to` of a graph. */
export interface Segment {
  readonly from: number;
  readonly to: number;
}

/** An append-only list of nodes; every node stands after all that it reads. */
export class Graph {
  readonly nodes: Node[] = [];
  readonly inputs = new Map<string, Value>();
  readonly fusion: boolean;
  /** Segments that are not kept for the reverse sweep, by their last node's id. */
  readonly segments = new Map<number, Segment>();
  readonly #recompute: boolean;
  #path = '';
  #scalars = new Map<string, Value>();

  constructor(options: GraphOptions = {}) {
    this.fusion = options.fusion ?? true;
    this.#recompute = options.recompute ?? false;
  }

  /** Runs `build`, a part of a model such as one layer that recomputation may forget and make again. Parts do not nest. */
  segment<T>(build: () => T): T {
    const from = this.nodes.length;
    const made = build();
    const to = this.nodes.length;
    if (this.#recompute) this.segments.set(to - 1, { from, to });
    return made;
  }

  /** Runs `build` with the module path `path` for the nodes that it makes. */
  within<T>(path: string, build: () => T): T {
    const outer = this.#path;
    this.#path = path;
    try {
      return build();
    } finally {
      this.#path = outer;
    }
  }

  /** Declares a fed tensor. Names are unique within a graph. */
  input(name: string, dtype: DType, shape: Shape): Value {
    if (this.inputs.has(name)) {
      throw new TesseraError({
        code: 'graph/duplicate-input',
        message: 'the graph has this input already',
        path: name,
      });
    }
    const canonical = shape.map((d) => addDims(d, 0));
    const value = this.apply(inputOp, [], { name, dtype, shape: canonical });
    this.inputs.set(name, value);
    return value;
  }

  /** A tensor known when the graph is built. Scalars of equal type and value are shared. */
  constant(tensor: Tensor): Value {
    if (tensor.shape.length > 0) return this.apply(constantOp, [], { tensor });
    const key = `${tensor.dtype}:${String(tensor.data[0])}:${Object.is(tensor.data[0], -0)}`;
    const known = this.#scalars.get(key);
    if (known) return known;
    const value = this.apply(constantOp, [], { tensor });
    this.#scalars.set(key, value);
    return value;
  }

  /** Appends a node with one output. */
  apply<A, I extends Values>(op: Op<A, I>, inputs: NoInfer<I>, attrs: A): Value {
    return this.applyAll(op, inputs, attrs)[0];
  }

  /** Appends a node and returns all its outputs. */
  applyAll<A, I extends Values, O extends Values>(op: Op<A, I, O>, inputs: NoInfer<I>, attrs: A): O {
    const path = this.#pathOf(op.name);
    for (const value of inputs) {
      if (value.node.graph !== this) {
        throw new TesseraError({ code: 'graph/foreign-value', message: 'an input belongs to another graph', path });
      }
    }
    const inferred = this.explain(op.name, inputs, (): readonly Spec[] =>
      [op.infer(inputs as Each<I, Spec>, attrs)].flat(),
    );
    const outputs: Value[] = [];
    const node: Node = { id: this.nodes.length, graph: this, op: op as AnyOp, inputs, attrs, outputs, path };
    inferred.forEach((spec, index) => {
      outputs.push({ node, index, shape: spec.shape, dtype: spec.dtype });
    });
    this.nodes.push(node);
    return outputs as Values as O;
  }

  /** Runs a shape rule, so that its faults name the operator, its inputs and the module path. */
  explain<T>(opName: string, inputs: Values, rule: () => T): T {
    try {
      return rule();
    } catch (error) {
      if (!(error instanceof TesseraError)) throw error;
      const operands = inputs.map((x, i) => `#${i} ${x.dtype}${formatShape(x.shape)} from ${x.node.path}`).join('; ');
      throw new TesseraError({
        ...error.toJSON(),
        message: `${opName}: ${error.message}`,
        path: this.#pathOf(opName),
        got: [error.got, operands].filter(Boolean).join(' | '),
      });
    }
  }

  #pathOf(opName: string): string {
    return this.#path ? `${this.#path}/${opName}` : opName;
  }
}

const inputOp: Op<{ name: string; dtype: DType; shape: Shape }, []> = {
  name: 'Input',
  infer: (_, { dtype, shape }) => ({ dtype, shape }),
  gradient: null,
  emit: null,
};

const constantOp: Op<{ tensor: Tensor }, []> = {
  name: 'Constant',
  infer: (_, { tensor }) => ({ dtype: tensor.dtype, shape: tensor.shape }),
  gradient: null,
  emit: (e, _, { tensor }) => e.constant(tensor),
};
