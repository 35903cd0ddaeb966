import { type Dim, formatShape, mulDims, sameShape } from '../../base/index.ts';
import type { Value } from '../node.ts';
import { MICROSOFT, shapeFault } from '../op.ts';
import { add, mul, neg, sub } from '../ops/elementwise.ts';
import { gather } from '../ops/index-ops.ts';
import { concat, reshape, slice } from '../ops/shape-ops.ts';
import { defineFused } from './fused.ts';

interface RotaryAttrs {
  readonly heads: number;
}

const rotaryFused = defineFused<RotaryAttrs, [x: Value, positions: Value, cos: Value, sin: Value]>({
  name: 'Rotary',
  infer([x, positions, cos, sin], { heads }) {
    const width = mulDims(mulDims(cos.shape[1] as Dim, 2), heads);
    if (x.shape.length !== 3 || x.shape[2] !== width) {
      throw shapeFault('the width is not heads x head size', {
        expected: `[B, T, ${width}]`,
        got: formatShape(x.shape),
      });
    }
    if (positions.dtype !== 'int64' || positions.shape.length !== 2) throw shapeFault('positions must be int64 [B, T]');
    if (!sameShape(sin.shape, cos.shape)) throw shapeFault('cos and sin differ in shape');
    return x;
  },
  decompose([x, positions, cos, sin], { heads }) {
    const [b, t] = x.shape as [Dim, Dim, Dim];
    const half = cos.shape[1] as Dim;
    const perHead = reshape(x, [b, t, heads, mulDims(half, 2)]);
    const [first, second] = [slice(perHead, 3, 0, half), slice(perHead, 3, half)];
    const rows = (table: Value) => reshape(gather(table, positions), [...positions.shape, 1, half]);
    const [c, s] = [rows(cos), rows(sin)];
    const turned = concat([sub(mul(first, c), mul(second, s)), add(mul(second, c), mul(first, s))], 3);
    return [reshape(turned, x.shape)];
  },
  // A rotation's transpose is the rotation back.
  gradient: ({ inputs: [, positions, cos, sin], cotangents: [dy], attrs }) => [
    rotary(dy, positions, cos, neg(sin), attrs.heads),
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
  return rotaryFused([x, positions, cos, sin], { heads })[0];
}
