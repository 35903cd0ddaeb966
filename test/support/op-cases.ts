import { type Tensor, tensor } from '../../src/base/index.ts';
import type { CompositionAttrs } from '../conformance/composition-table.ts';
import { type Attrs, opTable } from '../conformance/op-table.ts';
import type { OpCase } from './check-op.ts';
import { fixtureJson, fixtureTensors, numbers } from './fixtures.ts';

/** One application of an operator that PyTorch has computed. */
interface ReferenceCase {
  readonly name: string;
  readonly op: string;
  readonly attrs: Attrs & CompositionAttrs;
  readonly inputs: Readonly<Record<string, string>>;
  readonly output: string;
  readonly cotangent: string;
  readonly grads: Readonly<Record<string, string>>;
}

const folders = ['ops', 'compositions'];
export const referenceCases = folders.flatMap(
  (folder) => (fixtureJson(`${folder}/ops.json`) as { readonly cases: readonly ReferenceCase[] }).cases,
);
const tensors = new Map(folders.flatMap((folder) => [...fixtureTensors(`${folder}/ops.safetensors`)]));
const numbersOf = (key: string) => numbers(tensors.get(key));

/** Inputs that share their leading dimension in ways that their ranks do not tell. */
const symbolicInputs: Readonly<Record<string, readonly string[]>> = {
  crossEntropy: ['logits', 'targets', 'weights'],
  'crossEntropy.zero-weight': ['logits', 'targets', 'weights'],
  'rotary.positions': ['x', 'cos', 'sin'],
  // The shape asked for is a number in every place.
  expand: [],
  'attention.cross-hidden-keys': ['q', 'k', 'v', 'mask'],
  'attention.cross-biased': ['q', 'k', 'v', 'mask'],
  'attention.alibi-biased': ['q', 'k', 'v', 'mask'],
};

/** The inputs of highest rank that have the leading size of the first of them. */
function sharedLeading(inputs: Readonly<Record<string, Tensor>>): string[] {
  const rank = Math.max(...Object.values(inputs).map((t) => t.shape.length));
  const high = Object.entries(inputs).filter(([, t]) => t.shape.length === rank);
  return high.filter(([, t]) => t.shape[0] === high[0]?.[1].shape[0]).map(([name]) => name);
}

function single(t: Tensor): Tensor {
  return t.dtype === 'float64' ? tensor('float32', t.shape, Float32Array.from(t.data as Float64Array)) : t;
}

/** The case with its numbers, ready to be checked. */
export function opCase({ name, op, attrs, inputs, output, cotangent, grads }: ReferenceCase): OpCase {
  const build = opTable[op];
  if (!build) throw new Error(`no row of the table says how ${op} is built`);
  const fed = Object.fromEntries(Object.entries(inputs).map(([k, key]) => [k, single(tensors.get(key) as Tensor)]));
  return {
    inputs: fed,
    wrt: Object.keys(grads),
    build: (values) => build(values, attrs),
    symbolic: symbolicInputs[name] ?? sharedLeading(fed),
    expected: {
      output: numbersOf(output),
      cotangent: numbersOf(cotangent),
      grads: Object.fromEntries(Object.entries(grads).map(([k, key]) => [k, numbersOf(key)])),
    },
  };
}
