import type { Emit, Value, Values } from '../../graph/index.ts';

/** What a provider lacks or gets wrong, and another way to write the operator. */
export interface Legalization {
  readonly reason: string;
  readonly emit: Emit<unknown, Values, Values>;
}

/** By the name of the operator of the graph. */
export type Rules = Readonly<Record<string, Legalization | undefined>>;

/** Writes an operator otherwise that has the attributes `A`, the operands `I` and the outputs `O`. */
export function otherwise<A, I extends Values, O extends Values = readonly [Value]>(
  reason: string,
  emit: Emit<A, I, O>,
): Legalization {
  return { reason, emit: emit as Legalization['emit'] };
}
