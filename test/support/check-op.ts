import { expect } from 'vitest';
import { elementCount, float32, Random, type Shape, type Tensor } from '../../src/base/index.ts';
import { Graph, gradients, mul, reduceSum, type Value } from '../../src/graph/index.ts';
import type { NodeBackend } from '../../src/runtime/index.ts';
import { maxAbsolute } from './compare.ts';
import { compile, type Program } from './evaluate.ts';
import { numbers } from './fixtures.ts';

export type Values = Readonly<Record<string, Value>>;

/** A function of tensors, and what is known of it. */
export interface OpCase {
  /** Operands in float32, and data such as indices and masks. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Operands with a derivative. */
  readonly wrt: readonly string[];
  readonly build: (values: Values) => Value;
  /** Inputs whose leading dimension is also tried as the symbol B. */
  readonly symbolic: readonly string[];
  /** Reference numbers: the output, and the gradients of `sum(output * cotangent)`. */
  readonly expected?: {
    readonly output: readonly number[];
    readonly cotangent: readonly number[];
    readonly grads: Readonly<Record<string, readonly number[]>>;
  };
}

interface Variant {
  readonly label: string;
  readonly fusion: boolean;
  readonly symbolic: boolean;
  readonly backend: NodeBackend;
}

const variants: readonly Variant[] = [
  { label: 'fused', fusion: true, symbolic: false, backend: 'c-api' },
  { label: 'fused on the binding', fusion: true, symbolic: false, backend: 'binding' },
  { label: 'decomposed', fusion: false, symbolic: false, backend: 'c-api' },
  { label: 'fused, symbolic', fusion: true, symbolic: true, backend: 'c-api' },
  { label: 'decomposed, symbolic', fusion: false, symbolic: true, backend: 'c-api' },
];

/** Of the largest reference number of a tensor: float32 arithmetic against float64. */
const TOLERANCE = 1e-5;
/** Of the largest operand: what rounding the operands to float32 can move the result by. */
const OPERAND_TOLERANCE = 4 * 2 ** -23;
/** Step of the differences, and what rounding and curvature leave of them relative to the terms of the sum. */
const STEP = 2e-3;
const SLOPE_TOLERANCE = 2e-3;

/** Checks output and gradients of an operator against its reference numbers on one back end. */
export async function checkOpOn(backend: NodeBackend, name: string, op: OpCase, tolerance = TOLERANCE): Promise<void> {
  const cotangent = cotangentOf(name, op);
  const program = await compileVariant(op, { label: backend, fusion: true, symbolic: false, backend });
  try {
    const got = await program.run(new Map([...Object.entries(op.inputs), ['cotangent', cotangent]]));
    checkReference(`${name} on ${backend}`, op, cotangent, got, tolerance);
  } finally {
    program.dispose();
  }
}

/**
 * Proves an operator or a composed function: output and gradients against reference numbers, gradients against central
 * differences in a random direction, fused and decomposed, on both back ends, with known and symbolic sizes.
 */
export async function checkOp(name: string, op: OpCase): Promise<void> {
  const cotangent = cotangentOf(name, op);
  for (const variant of variants) {
    if (variant.symbolic && op.symbolic.length === 0) continue;
    const program = await compileVariant(op, variant);
    const run = (moved: ReadonlyMap<string, Tensor> = new Map()) =>
      program.run(new Map([...Object.entries(op.inputs), ['cotangent', cotangent], ...moved]));
    try {
      const label = `${name}, ${variant.label}`;
      const here = await run();
      checkReference(label, op, cotangent, here);
      if (!variant.symbolic && variant.backend === 'c-api') await checkSlope(label, op, cotangent, here, run);
    } finally {
      program.dispose();
    }
  }
}

function buildVariant(op: OpCase, { fusion, symbolic }: Pick<Variant, 'fusion' | 'symbolic'>) {
  const graph = new Graph({ fusion });
  const shape = (name: string, t: Tensor): Shape =>
    symbolic && op.symbolic.includes(name) ? ['B', ...t.shape.slice(1)] : t.shape;
  const values = Object.fromEntries(
    Object.entries(op.inputs).map(([name, t]) => [name, graph.input(name, t.dtype, shape(name, t))]),
  );
  return { graph, values, output: graph.within('tested', () => op.build(values)) };
}

function compileVariant(op: OpCase, variant: Variant): Promise<Program> {
  const { graph, values, output } = buildVariant(op, variant);
  const outputs = new Map([['output', output]]);
  if (op.wrt.length > 0) {
    const loss = reduceSum(mul(output, graph.input('cotangent', output.dtype, output.shape)));
    const wrt = op.wrt.map((name) => values[name] as Value);
    gradients(loss, wrt).forEach((grad, i) => {
      expect(grad, `${variant.label}: a gradient reaches ${op.wrt[i]}`).toBeDefined();
      outputs.set(`grad.${op.wrt[i]}`, grad as Value);
    });
  }
  return compile(graph, outputs, { backend: variant.backend });
}

function cotangentOf(name: string, op: OpCase): Tensor {
  const shape = buildVariant(op, { fusion: true, symbolic: false }).output.shape as readonly number[];
  const random = new Random(1, 'cotangent', name);
  return float32(shape, op.expected?.cotangent ?? Array.from({ length: elementCount(shape) }, () => random.normal()));
}

function checkReference(
  label: string,
  op: OpCase,
  cotangent: Tensor,
  got: ReadonlyMap<string, Tensor>,
  tolerance = TOLERANCE,
): void {
  expect(got.get('output')?.shape, `${label}: shape`).toEqual(cotangent.shape);
  for (const name of op.wrt) {
    expect(got.get(`grad.${name}`)?.shape, `${label}: shape of the gradient of ${name}`).toEqual(
      op.inputs[name]?.shape,
    );
  }
  if (!op.expected) return;
  const expectNear = (text: string, tensor: Tensor | undefined, expected: readonly number[]) =>
    expect(maxAbsolute(numbers(tensor), expected), text).toBeLessThanOrEqual(
      tolerance * largest(expected) + OPERAND_TOLERANCE * largestOperand(op),
    );
  expectNear(`${label}: output`, got.get('output'), op.expected.output);
  for (const [name, grad] of Object.entries(op.expected.grads)) {
    expectNear(`${label}: gradient of ${name}`, got.get(`grad.${name}`), grad);
  }
}

function largestOperand(op: OpCase): number {
  return largest(op.wrt.flatMap((name) => numbers(op.inputs[name])));
}

function largest(values: readonly number[]): number {
  return Math.max(...values.map(Math.abs));
}

type Run = (moved: ReadonlyMap<string, Tensor>) => Promise<ReadonlyMap<string, Tensor>>;

/** The slope along a random direction, by `(f(x + h v) - f(x - h v)) / 2h` and by the gradient. */
async function checkSlope(
  label: string,
  op: OpCase,
  cotangent: Tensor,
  here: ReadonlyMap<string, Tensor>,
  run: Run,
): Promise<void> {
  const random = new Random(1, 'slope', label);
  const direction = new Map(op.wrt.map((name) => [name, numbers(op.inputs[name]).map(() => random.uniform(-1, 1))]));
  const at = async (step: number) => numbers((await run(moved(op, direction, step))).get('output'));
  const [above, below] = [await at(STEP), await at(-STEP)];
  const numeric = products(
    above.map((y, i) => (y - (below[i] as number)) / (2 * STEP)),
    numbers(cotangent),
  );
  const analytic = [...direction].flatMap(([name, v]) => products(numbers(here.get(`grad.${name}`)), v));
  const gap = Math.abs(total(analytic) - total(numeric));
  const scale = 1 + Math.max(total(analytic.map(Math.abs)), total(numeric.map(Math.abs)));
  const text = `${label}: slope ${total(analytic)} by the gradient, ${total(numeric)} by differences`;
  expect(gap / scale, text).toBeLessThan(SLOPE_TOLERANCE + (OPERAND_TOLERANCE * largestOperand(op)) / STEP);
}

function moved(op: OpCase, direction: ReadonlyMap<string, readonly number[]>, step: number): Map<string, Tensor> {
  return new Map(
    [...direction].map(([name, v]) => {
      const x = op.inputs[name] as Tensor;
      const values = numbers(x).map((value, i) => value + step * (v[i] as number));
      return [name, float32(x.shape, values)];
    }),
  );
}

function products(a: readonly number[], b: readonly number[]): number[] {
  return a.map((x, i) => x * (b[i] as number));
}

function total(terms: readonly number[]): number {
  return terms.reduce((sum, term) => sum + term, 0);
}
