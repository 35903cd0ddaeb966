import type { Op } from '../../graph/index.ts';
import { webgpu } from './webgpu.ts';

/** Where a lowered model runs. */
export type Target = 'cpu' | 'wasm' | 'webgpu';

/** What a provider lacks or gets wrong, and another way to write the operator. */
export interface Legalization {
  readonly reason: string;
  readonly emit: NonNullable<Op['emit']>;
}

/** By the name of the operator of the graph. */
export type Rules = Readonly<Record<string, Legalization | undefined>>;

/** One entry a gap of a provider. `cpu` and `wasm` run the same kernels. */
export const legalizations: Readonly<Record<Target, Rules>> = { cpu: {}, wasm: {}, webgpu };
