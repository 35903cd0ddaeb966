import { describe, expect, it } from 'vitest';
import { maxAbsolute, maxRelative } from '../../../test/support/compare.ts';
import { fixtureJson } from '../../../test/support/fixtures.ts';
import { float32 } from '../../base/index.ts';
import { allocateStore, fillStore, type ParameterStore, zerosInit } from '../../nn/index.ts';
import { allocateGradients, type GradientBuffer } from '../program.ts';
import { adamw, allocateMoments, clipFactor, decays, globalNorm, type Moments } from './adamw.ts';

type Arrays = Readonly<Record<string, readonly number[]>>;

interface Trajectory {
  readonly name: string;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly decayed: readonly string[];
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
  readonly maxNorm: number | null;
  readonly initial: Arrays;
  readonly steps: readonly {
    readonly grads: Arrays;
    readonly norm: number;
    readonly lr: number;
    readonly params: Arrays;
  }[];
  readonly firstMoment: Arrays;
  readonly secondMoment: Arrays;
}

interface Clip {
  readonly maxNorm: number;
  readonly grads: readonly (number | readonly number[] | readonly (readonly number[])[])[];
  readonly norm: number;
  readonly clipped: Clip['grads'];
}

const fixture = fixtureJson('optim/optim.json') as { adamw: Trajectory[]; clip: Clip[] };

/** Parameters and moments are rounded to float32 after every step; the reference is in float64. */
const ROUNDING = 1e-6;

function open({ shapes, initial }: Trajectory): { store: ParameterStore; gradients: GradientBuffer } {
  const specs = Object.entries(shapes).map(([path, shape]) => [path, { path, shape, init: zerosInit }] as const);
  const store = allocateStore(new Map(specs));
  fillStore(store, new Map(specs.map(([path, { shape }]) => [path, float32(shape, initial[path] as number[])])));
  return { store, gradients: allocateGradients(store, () => true) };
}

function concatenated(arrays: Arrays, order: Iterable<string>): number[] {
  return [...order].flatMap((path) => arrays[path] as readonly number[]);
}

describe('adamw', () => {
  it.each(fixture.adamw)('$name: follows the trajectory of torch.optim.AdamW', (reference) => {
    const { store, gradients } = open(reference);
    const moments: Moments = allocateMoments(gradients);
    for (const [i, { grads, norm, lr, params }] of reference.steps.entries()) {
      for (const [path, { data }] of gradients.tensors) data.set(grads[path] as readonly number[]);
      const ours = globalNorm(gradients.flat);
      expect(Math.abs(ours / norm - 1)).toBeLessThan(ROUNDING);
      const gradientScale = clipFactor(ours, reference.maxNorm ?? undefined);
      adamw(store, gradients, moments, reference, { rateOf: () => lr, step: i + 1, gradientScale });
      for (const [path, { data }] of store.tensors) {
        expect(maxAbsolute(data, params[path] as number[]), `step ${i}, ${path}`).toBeLessThan(ROUNDING);
      }
    }
    const paths = [...store.tensors.keys()];
    expect(maxRelative(moments.first, concatenated(reference.firstMoment, paths))).toBeLessThan(ROUNDING);
    expect(maxRelative(moments.second, concatenated(reference.secondMoment, paths))).toBeLessThan(ROUNDING);
  });

  it('decays matrices and no vectors', () => {
    for (const { shapes, decayed } of fixture.adamw) {
      const ours = Object.keys(shapes).filter((path) => decays(shapes[path] as readonly number[]));
      expect(ours).toEqual(decayed);
    }
    expect([[], [8], [8, 4], [8, 3, 2, 2]].map(decays)).toEqual([false, false, true, true]);
  });

  it('takes its first step by the rate, whatever the size of the gradient', () => {
    const { store, gradients } = open(fixture.adamw[0] as Trajectory);
    const before = store.flat.slice();
    gradients.flat.forEach((_, i) => {
      gradients.flat[i] = (i % 2 ? -1 : 1) * 10 ** (i - 4);
    });
    const options = { betas: [0.9, 0.999] as const, eps: 0, weightDecay: 0 };
    const step = { rateOf: (path: string) => (path === 'layer.bias' ? 0.5 : 0.25), step: 1, gradientScale: 1 };
    adamw(store, gradients, allocateMoments(gradients), options, step);
    const moved = [...store.flat].map((x, i) => x - (before[i] as number));
    const expected = [-0.25, 0.25, -0.25, 0.25, -0.25, 0.25, -0.5, 0.5, -0.5];
    expect(maxAbsolute(moved, expected)).toBeLessThan(ROUNDING);
  });
});

describe('clipping by global norm', () => {
  it.each(fixture.clip)('agrees with clip_grad_norm_ at a limit of $maxNorm', ({ maxNorm, grads, norm, clipped }) => {
    const flat = Float32Array.from(grads.flat(2) as number[]);
    const ours = globalNorm(flat);
    expect(Math.abs(ours - norm)).toBeLessThanOrEqual(ROUNDING * norm);
    const factor = clipFactor(ours, maxNorm);
    const got = flat.map((g) => g * factor);
    expect(maxAbsolute(got, clipped.flat(2) as number[])).toBeLessThan(ROUNDING);
  });

  it('never clips without a limit', () => {
    expect(clipFactor(1e9, undefined)).toBe(1);
  });
});
