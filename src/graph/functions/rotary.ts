import { type Dim, formatShape, mulDims, sameShape } from '../../base/index.ts';
import type { Value } from '../node.ts';
import { MICROSOFT, shapeFault } from '../op.ts';
import { add, mul, neg, sub } from '../ops/elementwise.ts';
import { gather } from '../ops/index-ops.ts';
import { concat, reshape, slice } from '../ops/shape-ops.ts';
import { defineFused } from './fused.ts';

/** Which elements of a head turn, and with which others. */
export interface RotaryOptions {
  /** Element 2i turns with 2i + 1, in the place of i with i + d/2. */
  readonly interleaved?: boolean | undefined;
  /** Width of a head of which the tables turn the first elements alone; all of them unless told. */
  readonly headSize?: number | undefined;
}

interface RotaryAttrs extends RotaryOptions {
  readonly heads: number;
}

const rotaryFused = defineFused<RotaryAttrs, [x: Value, positions: Value, cos: Value, sin: Value]>({
  name: 'Rotary',
  infer([x, positions, cos, sin], { heads, headSize }) {
    const turned = mulDims(cos.shape[1] as Dim, 2);
    if (headSize !== undefined && !(typeof turned === 'number' && turned <= headSize)) {
      throw shapeFault('the tables turn more than a head', { expected: `at most ${headSize}`, got: `${turned}` });
    }
    const width = mulDims(headSize ?? turned, heads);
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
  decompose([x, positions, cos, sin], { heads, headSize, interleaved }) {
    const [b, t] = x.shape as [Dim, Dim, Dim];
    const half = cos.shape[1] as Dim;
    const turned = mulDims(half, 2);
    const perHead = reshape(x, [b, t, heads, headSize ?? turned]);
    // The two elements of each pair lie along one axis.
    const [axis, pairs] = interleaved ? [4, [half, 2]] : [3, [2, half]];
    const rows = (table: Value) => reshape(gather(table, positions), [b, t, 1, ...pairs.with(axis - 3, 1)]);
    const [c, s] = [rows(cos), rows(sin)];
    const paired = reshape(slice(perHead, 3, 0, turned), [b, t, heads, ...pairs]);
    const [first, second] = [slice(paired, axis, 0, 1), slice(paired, axis, 1, 2)];
    const both = concat([sub(mul(first, c), mul(second, s)), add(mul(second, c), mul(first, s))], axis);
    const rest = headSize === undefined || headSize === turned ? [] : [slice(perHead, 3, turned)];
    return [reshape(concat([reshape(both, [b, t, heads, turned]), ...rest], 3), x.shape)];
  },
  // A rotation's transpose is the rotation back.
  gradient: ({ inputs: [, positions, cos, sin], cotangents: [dy], attrs: { heads, ...options } }) => [
    rotary(dy, positions, cos, neg(sin), heads, options),
    undefined,
    undefined,
    undefined,
  ],
  emit: (e, x, { heads, headSize, interleaved = false }, { inputs: [, , cos] }) => {
    const turned = 2 * (cos.shape[1] as number);
    const partial = headSize !== undefined && { num_heads: heads, rotary_embedding_dim: turned };
    return e.node('RotaryEmbedding', x, { interleaved: +interleaved, ...partial }, MICROSOFT);
  },
});

/**
 * Rotary position embedding (Su et al. 2021) in the half-rotation form: element i of a head turns with element
 * i + d/2, unless the options say otherwise. `x [B, T, heads*d]`, `positions [B, T]` int64, tables `[positions, d/2]`.
 */
export function rotary(
  x: Value,
  positions: Value,
  cos: Value,
  sin: Value,
  heads: number,
  options: RotaryOptions = {},
): Value {
  return rotaryFused([x, positions, cos, sin], { heads, ...options })[0];
}
