import { afterAll, describe, expect, it } from 'vitest';
import { maxRelative } from '../../../test/support/compare.ts';
import { sharedEngine } from '../../../test/support/evaluate.ts';
import { answer, marked, pairBatch, pairProgram, pixels } from '../../../test/support/pairs.ts';
import { numbersOf, tinyLlava, tinyModel } from '../../../test/support/stages.ts';
import { Random } from '../../base/index.ts';
import type { Example } from '../../data/index.ts';
import type { Lora } from '../../nn/index.ts';
import { type Objective, unitsOf } from '../objective.ts';
import { LossProgram } from '../program.ts';
import { methods, objectiveNamed } from './index.ts';

/** What holds for every objective that prefers one answer to another; a new one is found here by its views. */
const found = Object.keys(methods).filter((name) => objectiveNamed(name).views.includes('rejected'));

/** Options that leave the comparison of the two answers alone, without terms beside it. */
const bare: Readonly<Record<string, Record<string, number | boolean>>> = {
  mdpo: { conditional: false, anchored: false },
  halva: { alpha: 0 },
};

const prompt = [23, 23, 23, 23, 4, 7];
const right = marked(answer(prompt, [3, 9, 12, 5, 15, 16, 2]), [0, 0, 1, 0, 2, 0, 0]);
const wrong = marked(answer(prompt, [3, 9, 13, 6, 5, 15, 17, 2]), [0, 0, 1, 1, 0, 2, 0, 0]);
const lora: Lora = { targets: (path) => path.includes('language_model') && path.includes('q_proj'), r: 2, alpha: 4 };

/** Rows of one sample: views beyond the two answers have the chosen one again. */
function rowsOf({ views }: Objective, chosen = right, rejected = wrong): Example[] {
  return views.map((view) => (view === 'rejected' ? rejected : chosen));
}

/** Each view's image: 1, and 2 for what the objective makes of it. */
const imagesOf = ({ views, makes }: Objective, seed = 1) =>
  views.map((view) => pixels(makes && view in makes ? seed + 1 : seed));

async function build(name: string, { own = false, options = {} as Record<string, number | boolean> } = {}) {
  const { objective, store, gradients, program } = await pairProgram(tinyLlava, objectiveNamed(name, options), own);
  const run = async ({ rows = rowsOf(objective), images = imagesOf(objective), width = 15 } = {}) => {
    const totals = unitsOf(objective, rows, 1);
    const result = await program.run(pairBatch(objective, rows, { width, images }), totals, { into: gradients });
    return { ...result, gradient: gradients.flat.slice() };
  };
  return { objective, store, program, run };
}

/** Programs are built once for all tests that run them. */
const built = new Map<string, ReturnType<typeof build>>();

function open(name: string, how: Parameters<typeof build>[1] = {}): ReturnType<typeof build> {
  const key = JSON.stringify([name, how]);
  const program = built.get(key) ?? build(name, how);
  built.set(key, program);
  return program;
}

afterAll(async () => {
  for (const { program } of await Promise.all(built.values())) await program.dispose();
});

const largest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

it('there are four of them, at least', () => {
  expect(found).toEqual(expect.arrayContaining(['dpo', 'ddpo', 'mdpo', 'halva']));
});

describe.each(found)('%s', (name) => {
  it('depends on the image', async () => {
    const { objective, run } = await open(name);
    const [shown, other] = [await run(), await run({ images: imagesOf(objective, 5) })];
    expect(Math.abs(shown.loss - other.loss)).toBeGreaterThan(1e-3);
    expect(maxRelative(other.gradient, shown.gradient)).toBeGreaterThan(1e-2);
  });

  it('is the same however much padding there is', async () => {
    const { run } = await open(name);
    const [narrow, wide] = [await run({ width: 14 }), await run({ width: 21 })];
    expect(wide.loss).toBeCloseTo(narrow.loss, 6);
    expect(maxRelative(wide.gradient, narrow.gradient)).toBeLessThan(1e-5);
  });

  it('reads no token but those of answers', () => {
    const objective = objectiveNamed(name);
    const [rows, width] = [rowsOf(objective), 16];
    const answered = rows.flatMap(({ supervised }, r) =>
      [...supervised.keys()].filter((t) => supervised[t] === 1).map((t) => r * width + t - 1),
    );
    const read = [...(objective.feeds(rows, width).get('targetRows')?.data ?? [])] as number[];
    expect(read.length).toBeGreaterThan(0);
    expect(read.filter((row) => !answered.includes(row))).toEqual([]);
  });

  it('has no gradient where both answers are the same', async () => {
    const { objective, run } = await open(name, { options: bare[name] });
    const [other, same] = [await run(), await run({ rows: rowsOf(objective, right, right) })];
    expect(same.loss).toBeCloseTo(Math.LN2, 6);
    expect(largest(same.gradient)).toBeLessThan(1e-5 * largest(other.gradient));
  });

  it('takes no gradient through the reference, and leaves the weights as they are', async () => {
    const { run, store } = await open(name, { own: true });
    const before = numbersOf(store).slice();
    const { loss, gradient } = await run();
    // Where policy and reference are one, a gradient through both would be none.
    expect(largest(gradient)).toBeGreaterThan(1e-3);
    expect((await run()).loss).toBe(loss);
    expect(numbersOf(store)).toEqual(before);
  });

  it('compares adapters with the model without them, and has them back afterwards', async () => {
    const { model, store } = tinyModel(tinyLlava, lora);
    const objective = objectiveNamed(name);
    const program = new LossProgram({ engine: await sharedEngine(), model, store, objective, lora });
    const rows = rowsOf(objective);
    const lossOf = async () =>
      (await program.run(pairBatch(objective, rows, { images: imagesOf(objective) }), unitsOf(objective, rows, 1)))
        .metrics.kl as number;
    expect(Math.abs(await lossOf())).toBeLessThan(1e-6);
    const random = new Random(3, 'adapters');
    const adapters = [...store.tensors].filter(([path]) => /lora/i.test(path));
    expect(adapters.length).toBeGreaterThan(0);
    for (const [, { data }] of adapters) for (let i = 0; i < data.length; i++) data[i] = random.normal();
    const moved = await lossOf();
    expect(moved).toBeGreaterThan(1e-3);
    expect(await lossOf()).toBe(moved);
    await program.dispose();
  });
});

describe.each(['dpo', 'ddpo', 'mdpo'])('%s', (name) => {
  it.each([0.1, 0.7])('is log 2 a term where the policy is the reference, with beta %f', async (beta) => {
    const { run, objective } = await open(name, { own: true, options: { beta } });
    const terms = objective.views.length === 3 ? 3 : 1;
    // mDPO compares with the same image here, and so has each of its terms at log 2.
    expect((await run({ images: objective.views.map(() => pixels(1)) })).loss).toBeCloseTo(terms * Math.LN2, 6);
  });

  it('changes by the margin alone when the answers change places', async () => {
    const { objective, run } = await open(name, { options: { ...bare[name], beta: 0.7 } });
    const [straight, swapped] = [await run(), await run({ rows: rowsOf(objective, wrong, right) })];
    const margin = straight.metrics.reward_margin as number;
    expect(Math.abs(margin)).toBeGreaterThan(1e-3);
    expect(swapped.metrics.reward_margin).toBeCloseTo(-margin, 5);
    expect(straight.loss - swapped.loss).toBeCloseTo(-margin, 5);
  });
});

it('HALVA aligns by what the policy says, also where it is the reference', async () => {
  const { run } = await open('halva', { own: true });
  const { metrics } = await run();
  expect(Math.abs(metrics.kl as number)).toBeLessThan(1e-5);
  expect(Math.abs((metrics.align as number) - Math.LN2)).toBeGreaterThan(1e-3);
});
