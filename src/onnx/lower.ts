import { type Dim, dimTerms, int64, quotientOf, raise, type Shape, type Tensor, TesseraError } from '../base/index.ts';
import type { EmitAttribute, Emitter, Graph, Node, Value } from '../graph/index.ts';
import type { Rules } from './legalize/rules.ts';
import { legalizations, type Target } from './legalize/table.ts';
import type { OnnxAttribute, OnnxInitializer, OnnxModel, OnnxNode, OnnxPort } from './proto/index.ts';

export interface LowerOptions {
  /** Shown by viewers. */
  readonly name?: string;
  readonly target?: Target;
}

/**
 * Writes the part of a graph that the named outputs need as an ONNX model. Node names are module paths; symbolic
 * dimensions become `dim_param`.
 */
export function lower(graph: Graph, outputs: ReadonlyMap<string, Value>, options: LowerOptions = {}): OnnxModel {
  const needed = reachable(graph, [...outputs.values()]);
  refuseClashes(graph, outputs);
  const writer = new Writer(graph, outputs.keys(), legalizations[options.target ?? 'cpu']);
  for (const node of needed) writer.add(node);
  const ports = [...outputs].map(([name, value]) => writer.output(name, value));
  const inputs = [...graph.inputs]
    .filter(([, value]) => needed.has(value.node) || writer.sizeSources.has(value))
    .map(([name, value]): OnnxPort => ({ name, dtype: value.dtype, shape: value.shape }));
  return {
    irVersion: 9,
    opsets: { '': 20, 'com.microsoft': 1 },
    producer: 'tessera',
    graph: {
      name: options.name ?? 'tessera',
      nodes: leavesLast(read(writer.written, outputs.keys()), new Set(outputs.keys())),
      inputs,
      outputs: ports,
      initializers: writer.initializers,
    },
    metadata: {},
  };
}

/** A name stands for one tensor in the whole file. */
function refuseClashes(graph: Graph, outputs: ReadonlyMap<string, Value>): void {
  const clashes = [...outputs.keys()].filter((name) => graph.inputs.has(name));
  raise(
    clashes.map((name) => ({
      code: 'onnx/duplicate-name',
      message: 'an output has the name of an input',
      path: name,
      remedy: 'give the output a name of its own',
    })),
  );
}

/** Nodes that the outputs depend on, in graph order. */
function reachable(graph: Graph, outputs: readonly Value[]): Set<Node> {
  const needed = new Set<Node>();
  const stack = outputs.map((value) => value.node);
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (needed.has(node)) continue;
    needed.add(node);
    for (const input of node.inputs) stack.push(input.node);
  }
  return new Set(graph.nodes.filter((node) => needed.has(node)));
}

/** The nodes that the outputs need; an operator may write one for an output of its own that nothing reads. */
function read(nodes: readonly OnnxNode[], outputs: Iterable<string>): OnnxNode[] {
  const wanted = new Set(outputs);
  const needed: OnnxNode[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => wanted.has(name))) continue;
    for (const name of node.inputs) wanted.add(name);
    needed.push(node);
  }
  return needed.reverse();
}

/**
 * ONNX Runtime orders nodes by a depth-first search that starts from the last listed leaf. Weight gradients are leaves,
 * so they are listed last and in reverse: each then runs as soon as it can, and its activations are freed early.
 */
function leavesLast(nodes: readonly OnnxNode[], outputs: ReadonlySet<string>): OnnxNode[] {
  const read = new Set(nodes.flatMap((node) => node.inputs));
  const isLeaf = (node: OnnxNode) => node.outputs.some((y) => outputs.has(y)) && !node.outputs.some((y) => read.has(y));
  return [...nodes.filter((node) => !isLeaf(node)), ...nodes.filter(isLeaf).reverse()];
}

class Writer implements Emitter {
  readonly written: OnnxNode[] = [];
  readonly initializers: OnnxInitializer[] = [];
  readonly sizeSources = new Set<Value>();
  readonly #graph: Graph;
  readonly #rules: Rules;
  readonly #names = new Map<Value, string>();
  readonly #sizes = new Map<Dim, string>();
  readonly #constants = new Map<string, string>();
  readonly #taken: Set<string>;
  readonly #public = new Set<string>();
  #path = '';

  constructor(graph: Graph, outputs: Iterable<string>, rules: Rules) {
    this.#graph = graph;
    this.#rules = rules;
    this.#taken = new Set([...outputs, ...graph.inputs.keys()]);
    for (const [name, value] of graph.inputs) this.#names.set(value, name);
  }

  add(node: Node): void {
    if (node.op.name === 'Input') return;
    const emit = this.#rules[node.op.name]?.emit ?? node.op.emit;
    if (!emit)
      throw new TesseraError({
        code: 'onnx/no-emission',
        message: `${node.op.name} has no ONNX form`,
        path: node.path,
      });
    this.#path = node.path;
    const emitted = emit(
      this,
      node.inputs.map((x) => this.name(x)),
      node.attrs,
      node,
    );
    const names = typeof emitted === 'string' ? [emitted] : emitted;
    node.outputs.forEach((value, i) => {
      const name = names[i];
      if (name) this.#names.set(value, name);
    });
  }

  name(value: Value): string {
    return this.#names.get(value) as string;
  }

  /** Gives a value its public name through an Identity, which ONNX Runtime removes. */
  output(name: string, value: Value): OnnxPort {
    const source = this.name(value);
    const producer = this.written.findLast((node) => node.outputs.includes(source));
    const reused = this.written.some((node) => node.inputs.includes(source)) || !producer || this.#public.has(source);
    if (reused) {
      this.written.push(plainNode('Identity', this.#fresh(`outputs/${name}`), [source], [name]));
    } else {
      const at = this.written.lastIndexOf(producer);
      this.written[at] = { ...producer, outputs: producer.outputs.map((y) => (y === source ? name : y)) };
      this.#names.set(value, name);
    }
    this.#public.add(name);
    return { name, dtype: value.dtype, shape: value.shape };
  }

  node(
    opType: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, EmitAttribute>>,
    domain?: string,
  ): string {
    return this.nodes(opType, 1, inputs, attributes, domain)[0] as string;
  }

  nodes(
    opType: string,
    outputs: number,
    inputs: readonly string[],
    attributes: Readonly<Record<string, EmitAttribute>> = {},
    domain = '',
  ): readonly string[] {
    const named = this.#path === opType || this.#path.endsWith(`/${opType}`);
    const name = this.#fresh(named ? this.#path : `${this.#path}/${opType}`);
    const names = outputs === 1 ? [name] : Array.from({ length: outputs }, (_, i) => `${name}:${i}`);
    const encoded = Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, attribute(value)]));
    this.written.push({ opType, domain, name, inputs, outputs: names, attributes: encoded });
    return names;
  }

  constant(tensor: Tensor): string {
    const key =
      tensor.data.length <= 8
        ? `${tensor.dtype}[${tensor.shape}]${[...tensor.data].map((v) => (Object.is(v, -0) ? '-0' : v))}`
        : undefined;
    const known = key && this.#constants.get(key);
    if (known) return known;
    const name = this.#fresh(`constants/${this.initializers.length}`);
    this.initializers.push({ name, tensor });
    if (key) this.#constants.set(key, name);
    return name;
  }

  dims(shape: Shape): string {
    if (shape.every((d) => typeof d === 'number')) return this.constant(int64([shape.length], shape as number[]));
    const parts = shape.map((d) => this.#size(d));
    return parts.length === 1 ? (parts[0] as string) : this.node('Concat', parts, { axis: 0 });
  }

  /** One dimension as an int64 tensor of shape [1]. */
  #size(dim: Dim): string {
    if (typeof dim === 'number') return this.constant(int64([1], [dim]));
    const known = this.#sizes.get(dim);
    if (known) return known;
    const terms = dimTerms(dim).map(([coefficient, names]) => {
      const factors = names.map((name) => this.#namedSize(name));
      if (coefficient !== 1 || factors.length === 0) factors.push(this.constant(int64([1], [coefficient])));
      return factors.reduce((a, b) => this.node('Mul', [a, b]));
    });
    const total = terms.reduce((a, b) => this.node('Add', [a, b]));
    this.#sizes.set(dim, total);
    return total;
  }

  #namedSize(name: string): string {
    const known = this.#sizes.get(name);
    if (known) return known;
    const quotient = quotientOf(name);
    if (quotient) {
      const [dividend, divisor] = quotient;
      const size = this.node('Div', [this.#namedSize(dividend), this.constant(int64([1], [divisor]))]);
      this.#sizes.set(name, size);
      return size;
    }
    for (const [input, value] of this.#graph.inputs) {
      const axis = value.shape.indexOf(name);
      if (axis < 0) continue;
      this.sizeSources.add(value);
      const size = this.node('Shape', [input], { start: axis, end: axis + 1 });
      this.#sizes.set(name, size);
      return size;
    }
    throw new TesseraError({
      code: 'onnx/unknown-dimension',
      message: `no input of the graph has a dimension ${name}`,
      path: this.#path,
      remedy: 'give some graph input this dimension on its own',
    });
  }

  #fresh(wanted: string): string {
    let name = wanted;
    for (let i = 2; this.#taken.has(name); i++) name = `${wanted}_${i}`;
    this.#taken.add(name);
    return name;
  }
}

function plainNode(opType: string, name: string, inputs: readonly string[], outputs: readonly string[]): OnnxNode {
  return { opType, domain: '', name, inputs, outputs, attributes: {} };
}

function attribute(value: EmitAttribute): OnnxAttribute {
  if (typeof value === 'number') return { type: 'int', value };
  if (typeof value === 'string') return { type: 'string', value };
  if (Array.isArray(value)) return { type: 'ints', value: value as readonly number[] };
  if ('float' in value) return { type: 'float', value: Math.fround(value.float) };
  return { type: 'floats', value: (value as { floats: readonly number[] }).floats.map(Math.fround) };
}
