import { beforeAll, describe, expect, it } from 'vitest';
import { maxAbsolute, maxRelative } from '../../../test/support/compare.ts';
import { fixtureJson } from '../../../test/support/fixtures.ts';
import { float32, Random, type Tensor } from '../../base/index.ts';
import { allocateStore, type FlatStore, fillStore, zerosInit } from '../../nn/index.ts';
import { type Engine, openEngine } from '../../runtime/index.ts';
import { allocateGradients, type GradientBuffer } from '../gradients.ts';
import {
  AdamW,
  type AdamWOptions,
  allocateMoments,
  clipFactor,
  decays,
  globalNorm,
  type Moments,
  PIECE,
} from './adamw.ts';

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

/** Everything is rounded to float32; the reference is in float64. */
const ROUNDING = 1e-6;

function open({ shapes, initial }: Trajectory): { store: FlatStore; gradients: GradientBuffer } {
  const specs = Object.entries(shapes).map(([path, shape]) => [path, { path, shape, init: zerosInit }] as const);
  const store = allocateStore(new Map(specs));
  fillStore(store, new Map(specs.map(([path, { shape }]) => [path, float32(shape, initial[path] as number[])])));
  return { store, gradients: allocateGradients(store, () => true) };
}

function concatenated(arrays: Arrays, order: Iterable<string>): number[] {
  return [...order].flatMap((path) => arrays[path] as readonly number[]);
}

describe('adamw', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine();
  });

  it.each(fixture.adamw)('$name: follows the trajectory of torch.optim.AdamW', async (reference) => {
    const { store, gradients } = open(reference);
    const moments = allocateMoments(gradients);
    const adamw = await AdamW.open(engine, { store, gradients, moments, options: reference, rateOf: () => 1 });
    for (const [i, { grads, norm, lr, params }] of reference.steps.entries()) {
      for (const [path, { data }] of gradients.tensors) data.set(grads[path] as readonly number[]);
      const ours = globalNorm(gradients.flat);
      expect(Math.abs(ours / norm - 1)).toBeLessThan(ROUNDING);
      const gradientScale = clipFactor(ours, reference.maxNorm ?? undefined);
      await adamw.step({ step: i + 1, rateFactor: lr, gradientScale });
      for (const [path, { data }] of store.tensors) {
        expect(maxAbsolute(data, params[path] as number[]), `step ${i}, ${path}`).toBeLessThan(ROUNDING);
      }
    }
    adamw.dispose();
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

  it('takes its first step by the rate, whatever the size of the gradient', async () => {
    const { store, gradients } = open(fixture.adamw[0] as Trajectory);
    const before = store.flat.slice();
    gradients.flat.forEach((_, i) => {
      gradients.flat[i] = (i % 2 ? -1 : 1) * 10 ** (i - 4);
    });
    const options = { betas: [0.9, 0.999] as const, eps: 0, weightDecay: 0 };
    const rateOf = (path: string) => (path === 'layer.bias' ? 0.5 : 0.25);
    const adamw = await AdamW.open(engine, { store, gradients, moments: allocateMoments(gradients), options, rateOf });
    await adamw.step({ step: 1, rateFactor: 1, gradientScale: 1 });
    adamw.dispose();
    const moved = [...store.flat].map((x, i) => x - (before[i] as number));
    const expected = [-0.25, 0.25, -0.25, 0.25, -0.25, 0.25, -0.5, 0.5, -0.5];
    expect(maxAbsolute(moved, expected)).toBeLessThan(ROUNDING);
  });

  it('stays where it is at a rate of 0, also without a gradient', async () => {
    const { store, gradients } = open(fixture.adamw[0] as Trajectory);
    const before = store.flat.slice();
    const options = { betas: [0.9, 0.999] as const, eps: 1e-8, weightDecay: 0.1 };
    const target = { store, gradients, moments: allocateMoments(gradients), options, rateOf: () => 1 };
    const adamw = await AdamW.open(engine, target);
    await adamw.step({ step: 1, rateFactor: 0, gradientScale: 1 });
    adamw.dispose();
    expect(store.flat).toEqual(before);
  });

  it('moves large tensors piece by piece, and only those that have gradients, to the bits of its definition', async () => {
    const shapes: Readonly<Record<string, readonly number[]>> = {
      'a.weight': [1000, 701],
      'frozen.weight': [5, 7],
      'b.weight': [300, 501],
      'b.bias': [501],
    };
    const store = allocateStore(
      new Map(Object.entries(shapes).map(([path, shape]) => [path, { path, shape, init: zerosInit }])),
    );
    expect(1000 * 701).toBeGreaterThan(2 * PIECE);
    const gradients = allocateGradients(store, (path) => !path.startsWith('frozen'));
    const moments = allocateMoments(gradients);
    const random = new Random(3, 'adamw');
    for (const flat of [store.flat, gradients.flat, moments.first]) flat.set(flat.map(() => random.normal()));
    moments.second.set(moments.second.map(() => random.uniform(0, 1)));
    const expected = byHand(store, gradients, moments, { step: 3, rate: 0.01 });
    const { sessionsBuilt, nativeHandles } = engine.ledger.snapshot();
    const adamw = await AdamW.open(engine, { store, gradients, moments, options: handOptions, rateOf: () => 0.02 });
    await adamw.step({ step: 3, rateFactor: 0.5, gradientScale: 0.75 });
    adamw.dispose();
    expect(engine.ledger.snapshot()).toMatchObject({ sessionsBuilt: sessionsBuilt + 1, nativeHandles });
    expect(maxAbsolute(store.flat, expected.parameters)).toBe(0);
    expect(maxAbsolute(moments.first, expected.moments.first)).toBe(0);
    expect(maxAbsolute(moments.second, expected.moments.second)).toBe(0);
  });
});

const handOptions: AdamWOptions = { betas: [0.9, 0.95], eps: 1e-6, weightDecay: 0.1 };

/** One step with a gradient scale of 0.75, every operation rounded to float32. */
function byHand(
  store: FlatStore,
  gradients: GradientBuffer,
  moments: Moments,
  { step, rate }: { step: number; rate: number },
): { parameters: Float32Array; moments: Moments } {
  const f = Math.fround;
  const { eps, weightDecay } = handOptions;
  const [b1, b2] = handOptions.betas;
  const unbias = Math.sqrt(1 - b2 ** step);
  const pull = f((rate * unbias) / (1 - b1 ** step));
  const next = { first: moments.first.slice(), second: moments.second.slice() };
  const parameters = store.flat.slice();
  let at = 0;
  for (const [path, { shape, data }] of gradients.tensors) {
    let place = (store.tensors.get(path) as Tensor).data.byteOffset / store.flat.BYTES_PER_ELEMENT;
    const decay = f(shape.length > 1 ? rate * weightDecay : 0);
    for (const g of data) {
      const p = parameters[place] as number;
      const m = f(f(f(b1) * (next.first[at] as number)) + f(f((1 - b1) * 0.75) * g));
      const v = f(f(f(b2) * (next.second[at] as number)) + f(f(f((1 - b2) * 0.75 ** 2) * g) * g));
      const step = f(f(m / f(f(Math.sqrt(v)) + f(eps * unbias))) * pull);
      parameters[place++] = f(p - f(step + f(p * decay)));
      next.first[at] = m;
      next.second[at++] = v;
    }
  }
  return { parameters, moments: next };
}

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
