import type { Graph, Value } from '../graph/index.ts';
import { encodeModel, lower } from '../onnx/index.ts';
import type { Engine, Session, SessionOptions } from './engine.ts';

/**
 * Lowers the named outputs of a graph and builds a session for them. Build one a program and keep it: sizes may change
 * from run to run.
 */
export function compile(
  engine: Engine,
  graph: Graph,
  outputs: ReadonlyMap<string, Value>,
  name: string,
  options: Pick<SessionOptions, 'threads'> = {},
): Promise<Session> {
  const model = encodeModel(lower(graph, outputs, { name, target: engine.target }));
  return engine.createSession(model, { ...options, name });
}
