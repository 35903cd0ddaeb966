import { type Dim, formatShape, mulDims } from '../../base/index.ts';
import type { Value } from '../node.ts';
import { MICROSOFT, type Spec, shapeFault } from '../op.ts';
import { add, mul, neg, sub } from '../ops/elementwise.ts';
import { gather } from '../ops/index-ops.ts';
import { concat, reshape, slice } from '../ops/shape-ops.ts';
import { defineFused } from './fused.ts';

interface RotaryAttrs {
  readonly heads: number;
}

const rotaryFused = defineFused<RotaryAttrs>({
  name: 'Rotary',
  infer([x, positions, cos, sin], { heads }) {
    const [value, index, table] = [x as Spec, positions as Spec, cos as Spec];
    const width = mulDims(mulDims(table.shape[1] as Dim, 2), heads);
    if (value.shape.length !== 3 || value.shape[2] !== width) {
      throw shapeFault('the width is not heads x head size', {
        expected: `[B, T, ${width}]`,
        got: formatShape(value.shape),
      });
    }
    if (index.dtype !== 'int64' || index.shape.length !== 2) throw shapeFault('positions must be int64 [B, T]');
    if (formatShape((sin as Spec).shape) !== formatShape(table.shape)) throw shapeFault('cos and sin differ in shape');
    return value;
  },
  decompose([x, positions, cos, sin], { heads }) {
    const value = x as Value;
    const [b, t] = value.shape as [Dim, Dim, Dim];
    const half = (cos as Value).shape[1] as Dim;
    const perHead = reshape(value, [b, t, heads, mulDims(half, 2)]);
    const [first, second] = [slice(perHead, 3, 0, half), slice(perHead, 3, half)];
    const [c, s] = [cos, sin].map((table) => {
      const rows = gather(table as Value, positions as Value);
      return reshape(rows, [rows.shape[0] as Dim, rows.shape[1] as Dim, 1, half]);
    }) as [Value, Value];
    const turned = concat([sub(mul(first, c), mul(second, s)), add(mul(second, c), mul(first, s))], 3);
    return [reshape(turned, value.shape)];
  },
  // A rotation's transpose is the rotation back.
  gradient: ({ inputs: [, positions, cos, sin], cotangents: [dy], attrs }) => [
    rotary(dy as Value, positions as Value, cos as Value, neg(sin as Value), attrs.heads),
    undefined,
    undefined,
    undefined,
  ],
  emit: (e, x) => e.node('RotaryEmbedding', x, { interleaved: 0 }, MICROSOFT),
});

/**
 * Rotary position embedding (Su et al. 2021) in the half-rotation form: element i of a head turns with element
 * i + d/2. `x [B, T, heads*d]`, `positions [B, T]` int64, tables `[positions, d/2]`.
 */
export function rotary(x: Value, positions: Value, cos: Value, sin: Value, heads: number): Value {
  return rotaryFused([x, positions, cos, sin], { heads })[0] as Value;
}
