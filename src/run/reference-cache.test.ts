import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codesOf } from '../../test/support/faults.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { silentLog } from '../base/index.ts';
import { loadPlan } from '../recipe/index.ts';
import { encodePng } from '../world/index.ts';
import { trainPlan } from './train.ts';

const root = scratchFolder();
process.env.TESSERA_CACHE = root.path('cache');
afterAll(() => {
  delete process.env.TESSERA_CACHE;
});

const pairs = root.path('pairs.jsonl');
const hooks = { signal: new AbortController().signal, log: silentLog, progress: () => {} };

beforeAll(() => {
  mkdirSync(root.path('images'));
  const shades = Array.from({ length: 6 }, (_, i) => i);
  for (const i of shades) {
    const data = new Uint8Array(3 * 64 * 64).map((_, k) => (k * (i + 3)) % 256);
    writeFileSync(root.path(`images/${i}.png`), encodePng({ width: 64, height: 64, data }));
  }
  const rows = shades.map((i) => ({
    images: [`images/${i}.png`],
    prompt: '<image>\nDescribe the image in detail.',
    chosen: `There is a red ball.${' There is a blue cube.'.repeat(i)}`,
    rejected: 'There is a green cup and a ring.',
  }));
  writeFileSync(pairs, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
});

let runs = 0;
const planned = (name: string, ...overrides: string[]) =>
  loadPlan(`recipes/alignment/${name}.yaml`, [
    'model.from=assets/tabletop-llava',
    `stages.prefer.data.0.path=${pairs}`,
    `output.folder=${root.path(`run-${++runs}`)}`,
    'lora.r=4',
    'lora.dropout=0',
    'train.batch=4',
    'train.steps=3',
    'train.log_every=1',
    'train.lr=1e-3',
    ...overrides,
  ]);

/** What is logged of some steps on six pairs, four a batch, so that every row comes twice and in other company. */
async function train(name: string, ...overrides: string[]) {
  const plan = planned(name, ...overrides);
  await trainPlan({ ...plan, eval: { ...plan.eval, tasks: [] } }, { resume: false }, hooks);
  const lines = readFileSync(join(plan.output.folder, 'metrics.jsonl'), 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line)).filter(({ loss }) => loss !== undefined);
}

function expectSame(some: readonly { loss: number; metrics: Record<string, number> }[], others: typeof some) {
  expect(some).toHaveLength(3);
  expect(some[2]?.metrics.kl).toBeGreaterThan(1e-5);
  for (const [i, { loss, metrics }] of some.entries()) {
    expect(loss).toBeCloseTo(others[i]?.loss as number, 6);
    expect(metrics.reward_margin).toBeCloseTo(others[i]?.metrics.reward_margin as number, 6);
  }
}

const kept = () => readdirSync(root.path('cache/references')).map((name) => root.path(`cache/references/${name}`));

describe('the reference', () => {
  it('gives the same numbers as a copy, by adapters switched off and from its cache, which a damaged file cannot change', async () => {
    const [adapter, copy, cache] = [
      await train('mdpo', 'stages.prefer.reference=adapter'),
      await train('mdpo', 'stages.prefer.reference=copy'),
      await train('mdpo', 'stages.prefer.reference=cache'),
    ];
    expectSame(adapter, copy);
    expectSame(adapter, cache);
    const [file = '', ...others] = kept();
    expect(others).toEqual([]);
    const whole = readFileSync(file);
    // Cut inside its second batch, or spoilt inside its first: the numbers and the file are the same again.
    const spoilt = Buffer.from(whole);
    spoilt[40] = (spoilt[40] as number) ^ 1;
    for (const left of [whole.subarray(0, whole.length - 5), spoilt]) {
      writeFileSync(file, left);
      expect(await train('mdpo', 'stages.prefer.reference=cache')).toEqual(cache);
      expect(readFileSync(file).equals(whole)).toBe(true);
    }
    // An image that changes is another row.
    const image = root.path('images/0.png');
    const before = readFileSync(image);
    writeFileSync(image, readFileSync(root.path('images/1.png')));
    await train('mdpo', 'stages.prefer.reference=cache');
    expect(readFileSync(file).equals(whole)).toBe(false);
    writeFileSync(image, before);
    rmSync(file);
  }, 600_000);

  it('is cached for a stage without adapters too', async () => {
    const all = (reference: string) =>
      train('llava-dpo', 'lora=false', `stages.prefer.reference=${reference}`, 'train.lr=1e-4');
    expectSame(await all('copy'), await all('cache'));
  }, 300_000);

  it('is refused where a stage cannot have it so', () => {
    const refusal = (name: string, ...overrides: string[]) => codesOf(() => planned(name, ...overrides));
    expect(refusal('halva', 'stages.prefer.reference=cache')).toEqual(['recipe/reference']);
    expect(refusal('llava-dpo', 'lora=false', 'stages.prefer.reference=adapter')).toEqual(['recipe/reference']);
    expect(refusal('llava-dpo', 'stages.prefer.objective=lm', 'stages.prefer.reference=copy')).toContain(
      'recipe/reference',
    );
  });
});
