import { formatShape, type Tensor } from '../../base/index.ts';
import type { Value } from '../node.ts';
import { MICROSOFT, type Op, shapeFault } from '../op.ts';

/** A matrix `[N, K]` in few bits: every block of neighbours in a row shares a scale and a zero point. */
export interface QuantizedMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly bits: 4 | 8;
  /** Elements of a block: a power of two, 16 at least. The last block of a row may be filled up. */
  readonly block: number;
  /** `[N, blocks, block * bits / 8]`, of two 4-bit elements the first in the low half. */
  readonly packed: Tensor<'uint8'>;
  /** `[N * blocks]`; an element is `(q - zero) * scale`. */
  readonly scales: Tensor<'float32'>;
  /** `[N, ceil(blocks * bits / 8)]`, packed alike; the middle of the range where there is none. */
  readonly zeros?: Tensor<'uint8'>;
}

/** Inputs are rounded to 8 bits by the block as well, and products are summed in integers. */
const INTEGER_PRODUCTS = 4;

type Format = Pick<QuantizedMatrix, 'rows' | 'columns' | 'bits' | 'block'>;

type Operands = [x: Value, packed: Value, scales: Value, ...([] | [zeros: Value])];

const quantizedMatMulOp: Op<Format, Operands> = {
  name: 'QuantizedMatMul',
  infer([{ shape, dtype }], { rows, columns }) {
    if (dtype === 'float32' && shape.at(-1) === columns) return { shape: [...shape.slice(0, -1), rows], dtype };
    throw shapeFault('the rows do not fit the matrix', {
      expected: `float32 [.., ${columns}]`,
      got: `${dtype} ${formatShape(shape)}`,
    });
  },
  gradient: null,
  emit: (e, x, { rows, columns, bits, block }) =>
    e.node(
      'MatMulNBits',
      x,
      { K: columns, N: rows, bits, block_size: block, accuracy_level: INTEGER_PRODUCTS },
      MICROSOFT,
    ),
};

/** `x W^T` for `x [.., K]` and a quantized `W [N, K]`. Inference only. */
export function quantizedMatmul(x: Value, w: QuantizedMatrix): Value {
  const { graph } = x.node;
  const { rows, columns, bits, block } = w;
  const [packed, scales] = [graph.constant(w.packed), graph.constant(w.scales)];
  const operands: Operands = w.zeros ? [x, packed, scales, graph.constant(w.zeros)] : [x, packed, scales];
  return graph.apply(quantizedMatMulOp, operands, { rows, columns, bits, block });
}
