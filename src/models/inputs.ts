import { type Dim, type Named, TesseraError } from '../base/index.ts';
import { type Input, inputShape } from '../data/index.ts';
import { type Graph, gather, type Value } from '../graph/index.ts';

/**
 * Declares inputs of a model on a graph.
 * @param names those that are fed; when absent all of the table, every medium shown where it is read
 * @param same sizes that are one here though the table counts them apart, such as one image a row: `{ N: 'B' }`
 */
export function declareInputs(
  graph: Graph,
  inputs: Named<Input>,
  names?: ReadonlySet<string>,
  same: Named<string> = {},
): Named<Value> {
  const rename = (dim: Dim) => (typeof dim === 'string' ? (same[dim] ?? dim) : dim);
  const wanted = Object.entries(inputs).filter(([name, { join }]) => names?.has(name) ?? join !== 'shown');
  const brought = new Set(wanted.map(([name]) => name));
  return Object.fromEntries(
    wanted.map(([name, { dtype }]) => [name, graph.input(name, dtype, inputShape(inputs, name, brought).map(rename))]),
  );
}

/** Features `[N, ..]` of all images that are shown, from those of the images that were read. */
export function featuresShown(features: Value, shown: Value | undefined): Value {
  return shown ? gather(features, shown) : features;
}

/**
 * An input that a model cannot do without.
 * @throws TesseraError `model/input`
 */
export function neededInput(x: Named<Value>, name: string): Value {
  const value = x[name];
  if (value) return value;
  throw new TesseraError({
    code: 'model/input',
    message: 'the model lacks an input',
    expected: name,
    got: Object.keys(x).join(', ') || 'none',
  });
}
