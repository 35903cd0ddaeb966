import { int32 } from '../../base/index.ts';
import type { Value } from '../node.ts';
import { shapeFault } from '../op.ts';
import { spatial } from './conv.ts';
import { gather } from './index-ops.ts';
import { reduceMax, reduceMean } from './reduce.ts';
import { reshape, slice } from './shape-ops.ts';

/** Average over `size x size` windows of `x [N, C, H, W]`; what does not fill a window is left out. */
export function avgPool2d(x: Value, size: number, stride = size): Value {
  return reduceMean(windows('AvgPool2d', x, size, stride), [3, 5]);
}

/** Maximum over the same windows; equal maxima share the cotangent. */
export function maxPool2d(x: Value, size: number, stride = size): Value {
  return reduceMax(windows('MaxPool2d', x, size, stride), [3, 5]);
}

/** `[N, C, rows, size, columns, size]`: every window of every image. */
function windows(name: string, x: Value, size: number, stride: number): Value {
  const [rows, columns] = x.node.graph.explain(name, [x], () => counts(spatial(x), size, stride));
  const cut = cutAxis(cutAxis(x, 2, rows, size, stride), 3, columns, size, stride);
  return reshape(cut, [...x.shape.slice(0, 2), rows, size, columns, size]);
}

function counts(sides: readonly number[], size: number, stride: number): readonly [number, number] {
  const [rows, columns] = sides.map((side) => Math.floor((side - size) / stride) + 1) as [number, number];
  if (rows < 1 || columns < 1) {
    throw shapeFault('the window is larger than the image', { expected: `at most ${sides}`, got: `${size}` });
  }
  return [rows, columns];
}

/** The axis as its windows one after another; elements of overlapping windows are repeated. */
function cutAxis(x: Value, axis: number, count: number, size: number, stride: number): Value {
  if (stride === size) return slice(x, axis, 0, count * size);
  const index = Array.from({ length: count * size }, (_, i) => Math.floor(i / size) * stride + (i % size));
  return gather(x, x.node.graph.constant(int32([index.length], index)), axis);
}
