import { full } from '../../base/index.ts';
import type { Emitter, Op, Spec } from '../../graph/index.ts';

/** Where a lowered model runs. */
export type Target = 'cpu' | 'wasm' | 'webgpu';

/** What a provider lacks, and another way to write the operator. */
interface Legalization {
  readonly reason: string;
  readonly emit: NonNullable<Op['emit']>;
}

type Rules = Readonly<Record<string, Legalization | undefined>>;

interface MatMulAttrs {
  readonly transA: boolean;
  readonly transB: boolean;
  readonly alpha: number;
}

function swapLastTwo(e: Emitter, x: string, rank: number): string {
  const order = [...Array(rank).keys()];
  [order[rank - 2], order[rank - 1]] = [rank - 1, rank - 2];
  return e.node('Transpose', [x], { perm: order });
}

/** One line a gap of a provider. `cpu` and `wasm` run the same kernels. */
export const legalizations: Readonly<Record<Target, Rules>> = {
  cpu: {},
  wasm: {},
  webgpu: {
    MatMul: {
      reason: 'the provider has no FusedMatMul and would copy to the host and back',
      emit: (e, [a, b], attrs, { inputs }) => {
        const { transA, transB, alpha } = attrs as MatMulAttrs;
        const rank = (i: number) => (inputs[i] as Spec).shape.length;
        const left = transA ? swapLastTwo(e, a as string, rank(0)) : (a as string);
        const right = transB ? swapLastTwo(e, b as string, rank(1)) : (b as string);
        const product = e.node('MatMul', [left, right]);
        if (alpha === 1) return product;
        return e.node('Mul', [product, e.constant(full((inputs[0] as Spec).dtype, [], alpha))]);
      },
    },
  },
};
