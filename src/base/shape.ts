import { TesseraError } from './errors.ts';

/**
 * One dimension: a number, or a polynomial over named sizes in canonical text such as `B`, `B*T` or `N+T`. `T/4` is the name
 * of a quarter of `T`, rounded down.
 * Two dimensions are equal exactly when they are `===`.
 */
export type Dim = number | string;

/** Dimensions from the outermost to the innermost; `[]` is a scalar. */
export type Shape = readonly Dim[];

/** Monomial (sorted names joined by `*`, `''` for the constant) to its integer coefficient. */
type Polynomial = ReadonlyMap<string, number>;

const parsed = new Map<string, Polynomial>();

function polynomial(dim: Dim): Polynomial {
  if (typeof dim === 'number') return new Map([['', dim]]);
  const known = parsed.get(dim);
  if (known) return known;
  const terms = new Map<string, number>();
  for (const term of dim.split('+')) {
    let coefficient = 1;
    const names: string[] = [];
    for (const factor of term.split('*')) {
      const number = Number(factor);
      if (Number.isNaN(number)) names.push(factor);
      else coefficient *= number;
    }
    const key = names.sort().join('*');
    terms.set(key, (terms.get(key) ?? 0) + coefficient);
  }
  parsed.set(dim, terms);
  return terms;
}

function canonical(terms: Polynomial): Dim {
  const kept = [...terms].filter(([, c]) => c !== 0).sort(([a], [b]) => (a < b ? 1 : -1));
  if (kept.length === 0) return 0;
  if (kept.length === 1 && kept[0]?.[0] === '') return kept[0][1];
  return kept.map(([name, c]) => (name === '' ? `${c}` : c === 1 ? name : `${c}*${name}`)).join('+');
}

export function addDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  const sum = new Map(polynomial(a));
  for (const [key, c] of polynomial(b)) sum.set(key, (sum.get(key) ?? 0) + c);
  return canonical(sum);
}

export function subDims(a: Dim, b: Dim): Dim {
  return addDims(a, mulDims(b, -1));
}

export function mulDims(a: Dim, b: Dim): Dim {
  // Adding 0 turns -0 into 0.
  if (typeof a === 'number' && typeof b === 'number') return a * b + 0;
  const product = new Map<string, number>();
  for (const [ka, ca] of polynomial(a)) {
    for (const [kb, cb] of polynomial(b)) {
      const key = [...ka.split('*'), ...kb.split('*')].filter(Boolean).sort().join('*');
      product.set(key, (product.get(key) ?? 0) + ca * cb);
    }
  }
  return canonical(product);
}

/** `a / b` when it is exact for every value of the names (`b` a single term), otherwise undefined. */
export function divDims(a: Dim, b: Dim): Dim | undefined {
  if (a === b) return 1;
  const divisor = [...polynomial(b)];
  const [first] = divisor;
  if (divisor.length !== 1 || !first || first[1] === 0) return undefined;
  const [name, coefficient] = first;
  const quotient = new Map<string, number>();
  for (const [key, c] of polynomial(a)) {
    if (c === 0) continue;
    if (c % coefficient !== 0) return undefined;
    const names = key.split('*').filter(Boolean);
    for (const factor of name.split('*').filter(Boolean)) {
      const at = names.indexOf(factor);
      if (at < 0) return undefined;
      names.splice(at, 1);
    }
    quotient.set(names.join('*'), c / coefficient);
  }
  return canonical(quotient);
}

/** `dim / by` rounded down, for a number or a plain name. */
export function floorDim(dim: Dim, by: number): Dim {
  if (typeof dim === 'number') return Math.floor(dim / by);
  if (!/[*+/]/.test(dim)) return `${dim}/${by}`;
  throw new TesseraError({
    code: 'shape/division',
    message: 'only a named size can be divided and rounded',
    expected: 'a name such as T',
    got: dim,
  });
}

/** The dividend and divisor of a name that `floorDim` made. */
export function quotientOf(name: string): readonly [string, number] | undefined {
  const [dividend, divisor] = name.split('/');
  return dividend !== undefined && divisor !== undefined ? [dividend, Number(divisor)] : undefined;
}

/** Number of elements, symbolic when a dimension is. */
export function sizeOf(shape: Shape): Dim {
  return shape.reduce<Dim>((n, d) => mulDims(n, d), 1);
}

/** Number of elements of a shape without names. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((n, d) => n * d, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** Numpy broadcasting; undefined when the shapes do not broadcast. */
export function broadcastShapes(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const out: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    const da = a[i - rank + a.length] ?? 1;
    const db = b[i - rank + b.length] ?? 1;
    if (da === db || db === 1) out.push(da);
    else if (da === 1) out.push(db);
    else return undefined;
  }
  return out;
}

/** The value of a dimension once every name has one. */
export function evaluateDim(dim: Dim, sizes: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const [c, names] of dimTerms(dim)) total += names.reduce((n, name) => n * sizeOfName(name, dim, sizes), c);
  return total;
}

function sizeOfName(name: string, dim: Dim, sizes: ReadonlyMap<string, number>): number {
  const [dividend, divisor] = quotientOf(name) ?? [name, 1];
  const size = sizes.get(dividend);
  if (size !== undefined) return Math.floor(size / divisor);
  throw new TesseraError({
    code: 'shape/unbound-name',
    message: `the size of dimension ${dividend} is not known`,
    expected: `one of ${[...sizes.keys()].join(', ') || '(none)'}`,
    got: `${dim}`,
  });
}

/** The terms of a dimension as `[coefficient, names]`, for code that computes it at run time. */
export function dimTerms(dim: Dim): readonly (readonly [number, readonly string[]])[] {
  return [...polynomial(dim)].map(([key, c]) => [c, key.split('*').filter(Boolean)] as const);
}

/** `[B, 3, 2*T]` as text. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** An axis counted from the front; negative axes count from the back. */
export function resolveAxis(axis: number, rank: number): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || resolved < 0 || resolved >= rank) {
    throw new TesseraError({
      code: 'shape/axis',
      message: 'the axis is outside the tensor',
      expected: `an integer from ${-rank} to ${rank - 1}`,
      got: `${axis}`,
    });
  }
  return resolved;
}
