import { type Dim, formatShape, type Shape, sameShape } from '../../base/index.ts';
import type { Value } from '../node.ts';
import { type Emitter, type Op, type Spec, sameDtype, shapeFault } from '../op.ts';
import { axisOf, fill, int64Vector, reshape, transpose } from './shape-ops.ts';

function requireIndex(x: Spec): void {
  if (x.dtype !== 'int32' && x.dtype !== 'int64') {
    throw shapeFault('the index is no integer tensor', { expected: 'int32 or int64', got: x.dtype });
  }
}

const gatherOp: Op<{ axis: number }> = {
  name: 'Gather',
  infer([x, index], { axis }) {
    const { shape, dtype } = x as Spec;
    requireIndex(index as Spec);
    return { shape: [...shape.slice(0, axis), ...(index as Spec).shape, ...shape.slice(axis + 1)], dtype };
  },
  gradient({ inputs: [x, index], cotangents: [dy], attrs: { axis } }) {
    const { shape } = x as Value;
    const flat = reshape(index as Value, [-1]);
    const rows = flat.shape[0] as Dim;
    const grouped = reshape(dy as Value, [...shape.slice(0, axis), rows, ...shape.slice(axis + 1)]);
    const front = [axis, ...shape.keys()].filter((a, i, all) => all.indexOf(a) === i);
    const size = front.map((a) => shape[a] as Dim);
    const base = fill((x as Value).node.graph, size, (x as Value).dtype, 0);
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

const scatterRowsOp: Op<ScatterAttrs> = {
  name: 'ScatterRows',
  infer([x, index, rows]) {
    const base = x as Spec;
    requireIndex(index as Spec);
    sameDtype([base, rows as Spec]);
    const expected: Shape = [...(index as Spec).shape, ...base.shape.slice(1)];
    if ((index as Spec).shape.length !== 1 || !sameShape((rows as Spec).shape, expected)) {
      throw shapeFault('the rows do not fit', {
        expected: formatShape(expected),
        got: formatShape((rows as Spec).shape),
      });
    }
    return base;
  },
  gradient({ inputs: [, index, rows], cotangents: [dy], attrs: { reduction }, wanted }) {
    const empty = () => fill((rows as Value).node.graph, (rows as Value).shape, (rows as Value).dtype, 0);
    const base = reduction === 'add' ? () => dy : () => scatterRows(dy as Value, index as Value, empty());
    return [wanted[0] ? base() : undefined, undefined, wanted[2] ? gather(dy as Value, index as Value) : undefined];
  },
  emit: (e, [x, index, rows], { reduction }, { inputs }) => {
    const tuples = column(e, index as string, inputs[1] as Spec);
    if (reduction === 'none') return e.node('ScatterND', [x as string, tuples, rows as string]);
    // ScatterND adds rows on several threads, which lose one another's sums where an index repeats.
    const { shape } = inputs[2] as Spec;
    const axes = shape.slice(2).map((_, i) => i + 2);
    const wide = axes.length > 0 ? e.node('Unsqueeze', [tuples, e.constant(int64Vector(axes))]) : tuples;
    const whole =
      shape.length > 1
        ? e.node('Expand', [wide, e.dims(shape)])
        : e.node('Squeeze', [tuples, e.constant(int64Vector([1]))]);
    return e.node('ScatterElements', [x as string, whole, rows as string], { axis: 0, reduction: 'add' });
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

const takeRowsOp: Op<null> = {
  name: 'TakeRows',
  infer: (inputs) => gatherOp.infer(inputs, { axis: 0 }),
  // Nothing meets, so nothing is summed: sums are made on one thread.
  gradient: ({ inputs: [x, index], cotangents: [dy] }) => {
    const { node, shape, dtype } = x as Value;
    return [scatterRows(fill(node.graph, shape, dtype, 0), index as Value, dy as Value), undefined];
  },
  emit: (e, x) => e.node('Gather', x, { axis: 0 }),
};

/** Rows `x[index[m]]` for an index `[M]` in which none repeats; faster to differentiate than `gather`. */
export function takeRows(x: Value, index: Value): Value {
  return x.node.graph.apply(takeRowsOp, [x, index], null);
}

const gatherElementsOp: Op<null> = {
  name: 'GatherElements',
  infer([x, index]) {
    requireIndex(index as Spec);
    const outer = (s: Shape) => s.slice(0, -1);
    if (!sameShape(outer((x as Spec).shape), outer((index as Spec).shape))) {
      throw shapeFault('the index differs outside the last axis');
    }
    return { shape: (index as Spec).shape, dtype: (x as Spec).dtype };
  },
  gradient: ({ inputs: [x, index], cotangents: [dy] }) => [
    scatterAddElements(
      fill((x as Value).node.graph, (x as Value).shape, (x as Value).dtype, 0),
      index as Value,
      dy as Value,
    ),
    undefined,
  ],
  emit: (e, x) => e.node('GatherElements', x, { axis: -1 }),
};

/** `out[.., k] = x[.., index[.., k]]` along the last axis. */
export function gatherElements(x: Value, index: Value): Value {
  return x.node.graph.apply(gatherElementsOp, [x, index], null);
}

const scatterAddElementsOp: Op<null> = {
  name: 'ScatterAddElements',
  infer([x, index, updates]) {
    requireIndex(index as Spec);
    if (!sameShape((index as Spec).shape, (updates as Spec).shape))
      throw shapeFault('updates and index differ in shape');
    sameDtype([x as Spec, updates as Spec]);
    return x as Spec;
  },
  gradient: ({ inputs: [, index], cotangents: [dy], wanted }) => [
    dy,
    undefined,
    wanted[2] ? gatherElements(dy as Value, index as Value) : undefined,
  ],
  emit: (e, x) => e.node('ScatterElements', x, { axis: -1, reduction: 'add' }),
};

/** A copy of `x` with `updates[.., k]` added at `x[.., index[.., k]]` along the last axis. */
export function scatterAddElements(x: Value, index: Value, updates: Value): Value {
  return x.node.graph.apply(scatterAddElementsOp, [x, index, updates], null);
}
