import { describe, expect, it } from 'vitest';
import { activations } from '../../src/models/activations.ts';
import { checkOp } from '../support/check-op.ts';
import { opCase, referenceCases } from '../support/op-cases.ts';
import { opTable } from './op-table.ts';

describe('every operator against PyTorch and against differences', () => {
  it('has a row of the table for every operator of the fixture, and no other', () => {
    expect(new Set(referenceCases.map(({ op }) => op))).toEqual(new Set(Object.keys(opTable)));
    expect(referenceCases.length).toBe(170);
  });
  it('has a case for every name of an activation', () => {
    const names = referenceCases.flatMap(({ op, attrs }) => (op === 'activation' ? [attrs.activation] : []));
    expect(names.sort()).toEqual(Object.keys(activations).sort());
  });
  it.each(referenceCases)('$name', (c) => checkOp(c.name, opCase(c)));
});
