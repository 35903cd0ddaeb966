import type { Tensor } from '../../src/base/index.ts';
import type { Graph, Value } from '../../src/graph/index.ts';
import { encodeModel, lower, type Target } from '../../src/onnx/index.ts';
import { type Engine, type NodeBackend, openEngine } from '../../src/runtime/index.ts';

const opened = new Map<NodeBackend, Promise<Engine>>();

/** The engine of this test file; two threads, as the reference machine has. */
export function sharedEngine(backend: NodeBackend = 'c-api'): Promise<Engine> {
  const known = opened.get(backend) ?? openEngine({ backend, threads: 2 });
  opened.set(backend, known);
  return known;
}

export interface EvaluateOptions {
  readonly backend?: NodeBackend;
  readonly target?: Target;
}

/** A graph made ready to run on the engine several times. Feeds that it does not read are left out. */
export interface Program {
  run(feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>>;
  dispose(): void;
}

export async function compile(
  graph: Graph,
  outputs: ReadonlyMap<string, Value>,
  options: EvaluateOptions = {},
): Promise<Program> {
  const engine = await sharedEngine(options.backend);
  const session = await engine.createSession(
    encodeModel(lower(graph, outputs, { target: options.target ?? engine.target })),
  );
  const read = new Set(session.inputs.map((port) => port.name));
  return {
    run: (feeds) => session.run(new Map([...feeds].filter(([name]) => read.has(name)))),
    dispose: () => session.dispose(),
  };
}

/** Runs outputs of a graph once. */
export async function evaluate(
  graph: Graph,
  outputs: ReadonlyMap<string, Value> | Readonly<Record<string, Value>>,
  feeds: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>> = {},
  options: EvaluateOptions = {},
): Promise<Map<string, Tensor>> {
  const program = await compile(graph, asMap(outputs), options);
  try {
    return await program.run(asMap(feeds));
  } finally {
    program.dispose();
  }
}

function asMap<T>(from: ReadonlyMap<string, T> | Readonly<Record<string, T>>): ReadonlyMap<string, T> {
  return from instanceof Map ? from : new Map(Object.entries(from as Readonly<Record<string, T>>));
}
