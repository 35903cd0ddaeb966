import { expect, it } from 'vitest';
import { Graph, type Value } from './node.ts';
import type { Op } from './op.ts';

const first: Op<null, [Value, Value]> = {
  name: 'First',
  infer: ([x]) => x,
  gradient: ({ cotangents: [dy] }) => [dy, undefined],
  emit: (e, [x]) => e.node('Identity', [x]),
};

it('the compiler counts the operands and the cotangents of an operator', () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [3]);
  expect(graph.apply(first, [x, x], null).shape).toEqual([3]);
  // @ts-expect-error an operand is missing
  graph.apply(first, [x], null);
  // @ts-expect-error one operand too many
  graph.apply(first, [x, x, x], null);
  // @ts-expect-error the second operand has no cotangent, not even an undefined one
  const short: Op<null, [Value, Value]> = { ...first, gradient: ({ cotangents: [dy] }) => [dy] };
  expect(short.name).toBe('First');
});
