import { portable } from './portable.ts';
import type { Rules } from './rules.ts';
import { webgpu } from './webgpu.ts';

/** Where a lowered model runs; `portable` is wherever its file is taken. */
export type Target = 'cpu' | 'wasm' | 'webgpu' | 'portable';

/** One entry a gap of a provider. `cpu` and `wasm` run the same kernels. */
export const legalizations: Readonly<Record<Target, Rules>> = { cpu: {}, wasm: {}, webgpu, portable };
