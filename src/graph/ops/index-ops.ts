import { type Dim, formatShape, type Shape, sameShape } from '../../base/index.ts';
import type { Value } from '../node.ts';
import { type Emitter, type Op, type Spec, sameDtype, shapeFault } from '../op.ts';
import { axisOf, fill, int64Vector, reshape, transpose } from './shape-ops.ts';

function requireIndex(x: Spec): void {
  if (x.dtype !== 'int32' && x.dtype !== 'int64') {
    throw shapeFault('the index is no integer tensor', { expected: 'int32 or int64', got: x.dtype });
  }
}

type Indexed = [x: Value, index: Value];
type Scattered = [x: Value, index: Value, rows: Value];

function zerosLike({ node, shape, dtype }: Value): Value {
  return fill(node.graph, shape, dtype, 0);
}

const gatherOp: Op<{ axis: number }, Indexed> = {
  name: 'Gather',
  infer([x, index], { axis }) {
    const { shape, dtype } = x;
    requireIndex(index);
    return { shape: [...shape.slice(0, axis), ...index.shape, ...shape.slice(axis + 1)], dtype };
  },
  gradient({ inputs: [x, index], cotangents: [dy], attrs: { axis } }) {
    const { shape, dtype } = x;
    const flat = reshape(index, [-1]);
    const rows = flat.shape[0] as Dim;
    const grouped = reshape(dy, [...shape.slice(0, axis), rows, ...shape.slice(axis + 1)]);
    const front = [axis, ...shape.keys()].filter((a, i, all) => all.indexOf(a) === i);
    const size = front.map((a) => shape[a] as Dim);
    const base = fill(x.node.graph, size, dtype, 0);
    const added = scatterAddRows(base, flat, transpose(grouped, front));
    return [
      transpose(
        added,
        front.map((_, i) => front.indexOf(i)),
      ),
      undefined,
    ];
  },
  emit: (e, x, { axis }) => e.node('Gather', x, { axis }),
};

/** Rows of `x` along an axis, by integer indices of any shape: `out[.., i.., ..] = x[.., index[i..], ..]`. */
export function gather(x: Value, index: Value, axis = 0): Value {
  return x.node.graph.apply(gatherOp, [x, index], { axis: axisOf('Gather', x, axis) });
}

interface ScatterAttrs {
  readonly reduction: 'none' | 'add';
}

const scatterRowsOp: Op<ScatterAttrs, Scattered> = {
  name: 'ScatterRows',
  infer([x, index, rows]) {
    requireIndex(index);
    sameDtype([x, rows]);
    const expected: Shape = [...index.shape, ...x.shape.slice(1)];
    if (index.shape.length !== 1 || !sameShape(rows.shape, expected)) {
      throw shapeFault('the rows do not fit', { expected: formatShape(expected), got: formatShape(rows.shape) });
    }
    return x;
  },
  gradient({ inputs: [, index, rows], cotangents: [dy], attrs: { reduction }, wanted }) {
    const base = () => (reduction === 'add' ? dy : scatterRows(dy, index, zerosLike(rows)));
    return [wanted[0] ? base() : undefined, undefined, wanted[2] ? gather(dy, index) : undefined];
  },
  emit: (e, [x, index, rows], { reduction }, { inputs: [, indexSpec, { shape }] }) => {
    const tuples = column(e, index, indexSpec);
    if (reduction === 'none') return e.node('ScatterND', [x, tuples, rows]);
    // ScatterND adds rows on several threads, which lose one another's sums where an index repeats.
    const axes = shape.slice(2).map((_, i) => i + 2);
    const wide = axes.length > 0 ? e.node('Unsqueeze', [tuples, e.constant(int64Vector(axes))]) : tuples;
    const whole =
      shape.length > 1
        ? e.node('Expand', [wide, e.dims(shape)])
        : e.node('Squeeze', [tuples, e.constant(int64Vector([1]))]);
    return e.node('ScatterElements', [x, whole, rows], { axis: 0, reduction: 'add' });
  },
};

/** ScatterND takes int64 index tuples: `[M]` becomes `[M, 1]`. */
function column(e: Emitter, index: string, spec: Spec): string {
  const wide = spec.dtype === 'int64' ? index : e.node('Cast', [index], { to: 7 });
  return e.node('Unsqueeze', [wide, e.constant(int64Vector([1]))]);
}

/** A copy of `x [R, ..]` in which row `index[m]` is `rows[m]`. Indices must not repeat. */
export function scatterRows(x: Value, index: Value, rows: Value): Value {
  return x.node.graph.apply(scatterRowsOp, [x, index, rows], { reduction: 'none' });
}

/** A copy of `x [R, ..]` with `rows[m]` added to row `index[m]`; indices may repeat. */
export function scatterAddRows(x: Value, index: Value, rows: Value): Value {
  return x.node.graph.apply(scatterRowsOp, [x, index, rows], { reduction: 'add' });
}

const takeRowsOp: Op<null, Indexed> = {
  name: 'TakeRows',
  infer: (inputs) => gatherOp.infer(inputs, { axis: 0 }),
  // Nothing meets, so nothing is summed: sums are made on one thread.
  gradient: ({ inputs: [x, index], cotangents: [dy] }) => [scatterRows(zerosLike(x), index, dy), undefined],
  emit: (e, x) => e.node('Gather', x, { axis: 0 }),
};

/** Rows `x[index[m]]` for an index `[M]` in which none repeats; faster to differentiate than `gather`. */
export function takeRows(x: Value, index: Value): Value {
  return x.node.graph.apply(takeRowsOp, [x, index], null);
}

const gatherElementsOp: Op<null, Indexed> = {
  name: 'GatherElements',
  infer([x, index]) {
    requireIndex(index);
    const outer = (s: Shape) => s.slice(0, -1);
    if (!sameShape(outer(x.shape), outer(index.shape))) {
      throw shapeFault('the index differs outside the last axis');
    }
    return { shape: index.shape, dtype: x.dtype };
  },
  gradient: ({ inputs: [x, index], cotangents: [dy] }) => [scatterAddElements(zerosLike(x), index, dy), undefined],
  emit: (e, x) => e.node('GatherElements', x, { axis: -1 }),
};

/** `out[.., k] = x[.., index[.., k]]` along the last axis. */
export function gatherElements(x: Value, index: Value): Value {
  return x.node.graph.apply(gatherElementsOp, [x, index], null);
}

const scatterAddElementsOp: Op<null, Scattered> = {
  name: 'ScatterAddElements',
  infer([x, index, updates]) {
    requireIndex(index);
    if (!sameShape(index.shape, updates.shape)) throw shapeFault('updates and index differ in shape');
    sameDtype([x, updates]);
    return x;
  },
  gradient: ({ inputs: [, index], cotangents: [dy], wanted }) => [
    dy,
    undefined,
    wanted[2] ? gatherElements(dy, index) : undefined,
  ],
  emit: (e, x) => e.node('ScatterElements', x, { axis: -1, reduction: 'add' }),
};

/** A copy of `x` with `updates[.., k]` added at `x[.., index[.., k]]` along the last axis. */
export function scatterAddElements(x: Value, index: Value, updates: Value): Value {
  return x.node.graph.apply(scatterAddElementsOp, [x, index, updates], null);
}
