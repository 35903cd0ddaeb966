import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { parsePlan } from '../../src/recipe/index.ts';
import { resumeRun, trainPlan } from '../../src/run/index.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { hooks, llavaRows, writeLlava, writeRows } from './material.ts';

const root = scratchFolder().fresh();
const warnings: string[] = [];
const log = { info: () => {}, warn: (message: string) => void warnings.push(message) };

/** A PNG whose chunks and checksums are whole and whose pixels are not: only decoding it tells. */
async function tornPng(): Promise<Buffer> {
  const noise = Buffer.from(Array.from({ length: 3 * 60 * 60 }, (_, i) => (i * 7919) % 251));
  const png = await sharp(noise, { raw: { width: 60, height: 60, channels: 3 } })
    .png()
    .toBuffer();
  const at = png.indexOf('IDAT') + 4;
  const end = at + png.readUInt32BE(at - 8);
  png.fill(0, at + 100, at + 400);
  png.writeUInt32BE(crc32(png.subarray(at - 4, end)), end);
  return png;
}

/** Twice the rows about good images, and rows about one or several torn ones between them. */
async function writeData(folder: string, torn: number): Promise<void> {
  const rows = [...llavaRows(), ...llavaRows()];
  const [first] = rows as [(typeof rows)[0]];
  const bad = Array.from({ length: torn }, (_, i) => ({ ...first, id: `torn ${i}`, image: `shots/torn-${i}.png` }));
  mkdirSync(folder);
  await writeRows(folder, [...rows.slice(0, 20), ...bad, ...rows.slice(20)]);
  for (let i = 0; i < torn; i++) writeFileSync(join(folder, 'shots', `torn-${i}.png`), await tornPng());
}

async function mend(data: string, torn: number): Promise<void> {
  const good = sharp({ create: { width: 9, height: 9, channels: 3, background: 'red' } }).png();
  for (let i = 0; i < torn; i++) await good.clone().toFile(join(root, data, 'shots', `torn-${i}.png`));
}

const isWhole = (data: string) =>
  sharp(join(root, data, 'shots', 'torn-0.png'))
    .stats()
    .then(
      () => true,
      () => false,
    );

/** One pass over all rows, in small steps. */
const planFor = (name: string, data: string) =>
  parsePlan(
    `
system: llava-1.5
model: { architecture: llava, from: ${join(root, 'llava')} }
train: { epochs: 1, batch: 2, accumulate: 2, lr: 5e-3, save_every: 0, log_every: 1, threads: 1 }
stages:
  - name: tune
    objective: lm
    trainable: [multi_modal_projector.**]
    template: llava-1.5
    data: [{ source: files, path: ${join(root, data, 'rows.json')} }]
`,
    'torn.yaml',
    [`output.folder=${join(root, name)}`],
  );

const read = (name: string, file: string) => readFileSync(join(root, name, file), 'utf8');
const train = (name: string, data: string) => trainPlan(planFor(name, data), { resume: false }, { ...hooks(), log });

beforeAll(async () => {
  writeLlava(join(root, 'llava'));
  await writeData(join(root, 'few'), 2);
  await writeData(join(root, 'many'), 12);
  expect((await train('straight', 'few')).status).toBe('done');
}, 120_000);

describe('an image that breaks in the middle of training', () => {
  it('is named with its row, counted and passed over', () => {
    for (const row of [21, 22]) {
      const told = warnings.filter((warning) => warning.includes(`rows.json row ${row}: `));
      expect(told).toHaveLength(1);
      expect(told[0]).toContain(`torn-${row - 21}.png`);
      expect(told[0]).toContain('image/corrupt');
    }
    expect(JSON.parse(read('straight', 'data-report.json'))).toMatchObject({
      kept: 84,
      rejected: 2,
      reasons: [{ code: 'image/corrupt', count: 2 }],
    });
    expect(read('straight', 'model/README.md')).toContain('Rows: 84 kept, 2 refused.');
    // Every step has its four rows, and its targets.
    const steps = read('straight', 'metrics.jsonl').trim().split('\n');
    expect(steps.map((line) => JSON.parse(line)).filter(({ targets }) => targets > 0)).toHaveLength(22);
  });

  it('is passed over alike by a run that is stopped now and then, even once it is whole again', async () => {
    const folder = join(root, 'pieces');
    const stopAfter = (step: number) => {
      const abort = new AbortController();
      return hooks(abort.signal, ({ label, done }) => label === 'stage tune' && done >= step && abort.abort());
    };
    let result = await trainPlan(planFor('pieces', 'few'), { resume: false }, stopAfter(1));
    for (let step = 5; result.status !== 'done'; step += 4) {
      // Both have been met: from here on it is the checkpoint alone that knows them.
      if (JSON.parse(read('pieces', 'data-report.json')).rejected === 2) await mend('few', 2);
      result = await resumeRun(folder, stopAfter(step));
    }
    expect(await isWhole('few')).toBe(true);
    expect(result.status).toBe('done');
    for (const file of ['metrics.jsonl', 'model/model.safetensors', 'data-report.json']) {
      expect(read('pieces', file) === read('straight', file), file).toBe(true);
    }
  }, 240_000);

  it('ends the run once more rows are refused than it bears, with the work saved', async () => {
    await expect(train('ended', 'many')).rejects.toMatchObject({
      code: 'data/too-many-rejected',
      others: [{ code: 'image/corrupt', path: expect.stringContaining('rows.json row ') }],
    });
    const [checkpoint] = readdirSync(join(root, 'ended', 'checkpoints'));
    expect(checkpoint).toMatch(/^0-00000\d\d$/);
    expect(existsSync(join(root, 'ended', 'model'))).toBe(false);
    // Mended, the run goes on from there.
    await mend('many', 12);
    expect((await resumeRun(join(root, 'ended'), hooks())).status).toBe('done');
    const { rejected } = JSON.parse(read('ended', 'data-report.json'));
    expect(rejected).toBe(4);
  }, 120_000);
});
