import { expect } from 'vitest';
import type { Tensor } from '../../src/base/index.ts';
import { maxAbsolute, maxRelative } from './compare.ts';
import { numbers } from './fixtures.ts';

const LOGITS = 1e-4;
const LOSS = 1e-5;
/** Of the largest entry of a parameter's gradient. */
const GRADIENT = 1e-4;
/** A softmax does not see a shift of all keys: the reference holds rounding alone. */
const ZERO_GRADIENT = 1e-4;
const keyBias = /(self_attn\.k_proj|attention\.key)\.bias$/;

export function expectLogits(got: readonly number[], expected: Tensor | undefined, label = 'logits'): void {
  expect(maxAbsolute(got, numbers(expected)), label).toBeLessThan(LOGITS);
}

export function expectLoss(got: number, expected: Tensor | undefined): void {
  expect(Math.abs(got - (numbers(expected)[0] as number)), 'loss').toBeLessThan(LOSS);
}

/**
 * Holds every gradient of the reference against ours, and ours against the reference's list.
 * @param rename a name of the reference to tessera's
 * @param invariantKeys whether attention has no rotary embedding, so that the bias of the keys has no gradient
 */
export function expectGradients(
  got: ReadonlyMap<string, readonly number[]>,
  expected: ReadonlyMap<string, Tensor>,
  rename: (name: string) => string,
  invariantKeys: (name: string) => boolean = () => false,
): void {
  const reference = [...expected].filter(([name]) => name.startsWith('grad.'));
  const names = reference.map(([name]) => rename(name.slice('grad.'.length)));
  expect([...got.keys()].sort()).toEqual(names.sort());
  for (const [stored, tensor] of reference) {
    const name = rename(stored.slice('grad.'.length));
    const ours = got.get(name) as readonly number[];
    if (keyBias.test(name) && invariantKeys(name)) {
      expect(maxAbsolute(ours, numbers(tensor)), name).toBeLessThan(ZERO_GRADIENT);
    } else {
      expect(maxRelative(ours, numbers(tensor)), name).toBeLessThan(GRADIENT);
    }
  }
}
