import type { Random } from '../base/index.ts';

/** How a parameter starts. */
export type Init =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'normal'; readonly std: number }
  | { readonly kind: 'uniform'; readonly bound: number };

export const zerosInit: Init = { kind: 'constant', value: 0 };
export const onesInit: Init = { kind: 'constant', value: 1 };
export const normal = (std: number): Init => ({ kind: 'normal', std });

/** Kaiming-uniform with a = sqrt(5), PyTorch's default for a linear layer: bound 1/sqrt(fan in). */
export const kaimingUniform = (fanIn: number): Init => ({ kind: 'uniform', bound: 1 / Math.sqrt(fanIn) });

/** Fills an array in place. */
export function initialize(data: Float32Array, init: Init, random: Random): void {
  if (init.kind === 'constant') data.fill(init.value);
  else if (init.kind === 'normal') for (let i = 0; i < data.length; i++) data[i] = random.normal() * init.std;
  else for (let i = 0; i < data.length; i++) data[i] = random.uniform(-init.bound, init.bound);
}
