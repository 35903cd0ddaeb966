import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oracle, writeTestSet } from '../../../test/support/oracle.ts';
import { evaluate } from '../harness.ts';
import type { Evaluation, ItemRecord } from '../results.ts';
import { openTasks } from '../tasks/catalog.ts';
import { lossCurves } from './curves.ts';
import { highlight } from './highlight.ts';
import { writeReport } from './report.ts';
import { niceTicks } from './ticks.ts';

const attack = `<script>alert("x")</script><img src=x onerror='alert(1)'>&amp;`;
let folder: string;
let evaluation: Evaluation;
const records: ItemRecord[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tessera-report-'));
  const world = join(folder, 'world');
  await writeTestSet(world, 30);
  const seeing = await oracle(world);
  const rude = {
    name: attack,
    answer: async (requests: Parameters<typeof seeing.answer>[0]) =>
      (await seeing.answer(requests)).map(({ text }) => ({ text: `${text} A mushroom. ${attack}` })),
  };
  const tasks = openTasks(world, ['pope', 'chair', 'vqa']);
  evaluation = await evaluate(rude, tasks, {
    version: '0.0.0',
    seed: 1,
    resamples: 50,
    onRecord: (record) => void records.push(record),
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function page(): Promise<string> {
  const losses = [1, 2, 3].map((step) => ({ stage: attack, step, loss: 3 / step }));
  const data = { sources: [{ file: attack, kept: 5, rejected: 2 }], reasons: [{ code: attack, count: 2 }] };
  const facts = { [attack]: attack };
  const texts = { title: attack, command: attack, recipe: attack };
  const path = await writeReport(folder, evaluation, { ...texts, facts, losses, data, records });
  return readFileSync(path, 'utf8');
}

describe('the report', () => {
  it('lets no text of a model, recipe or file become markup', async () => {
    const html = await page();
    expect(html).toContain('&lt;script&gt;');
    expect(html).not.toMatch(/<script|<img src=x/i);
    const tags = [...html.matchAll(/<[a-z!/][^>]*>/gi)].map(([tag]) => tag);
    expect(tags.filter((tag) => /\son\w+=/i.test(tag.replace(/"[^"]*"/g, '')))).toEqual([]);
    expect(html).not.toContain('&amp;amp;amp;');
  });

  it('stands alone: no script, and no address but data', async () => {
    const html = await page();
    const addresses = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address as string);
    expect(addresses.length).toBeGreaterThan(5);
    expect(addresses.filter((address) => !address.startsWith('data:image/'))).toEqual([]);
    expect(html).not.toMatch(/url\(|@import|https?:/);
    expect(html).toContain('default-src &#39;none&#39;');
    expect(statSync(join(folder, 'report.html')).size).toBeLessThan(400_000);
  });

  it('shows scores beside blind ones, images with truths, curves, data and the command', async () => {
    const html = await page();
    for (const part of [
      'really there',
      'blind',
      ' objects · ',
      'aria-label="Loss of the stage',
      '5 rows kept, 2 refused',
    ]) {
      expect(html).toContain(part);
    }
    expect(html).toMatch(/<mark title="not so">A mushroom<\/mark>/);
    const { accuracy } = evaluation.tasks[0]!.groups.random!;
    expect(html).toContain(`<td class="n score">${accuracy!.sighted.value!.toFixed(3)}<span`);
    expect(html).toContain(`<td class="n blind">${accuracy!.blind!.value!.toFixed(3)}</td>`);
  });

  it('names the image it cannot read', async () => {
    const broken = records.map((record) => ({ ...record, picture: join(folder, 'report.html') }));
    const writing = writeReport(folder, evaluation, { title: '', command: '', records: broken });
    await expect(writing).rejects.toMatchObject({ code: 'report/picture', path: join(folder, 'report.html') });
  });
});

describe('highlight', () => {
  it('marks spans once, in order, inside the text', () => {
    const spans = [
      { start: 6, end: 9 },
      { start: 0, end: 2 },
      { start: 1, end: 4 },
      { start: 8, end: 99 },
    ];
    const { markup } = highlight('ab<d>fghij', spans);
    expect(markup.replaceAll(' title="not so"', '')).toBe(
      '<mark>ab</mark><mark>&lt;d</mark>&gt;f<mark>ghi</mark><mark>j</mark>',
    );
  });
});

describe('loss curves', () => {
  it('keeps the worst spike of a long run within a bounded number of points', () => {
    const rows = Array.from({ length: 50_000 }, (_, i) => ({ stage: 'a', step: i, loss: i === 31_234 ? 9 : 1 }));
    const { markup } = lossCurves(rows);
    const points = /class="raw" points="([^"]*)"/.exec(markup)?.[1]?.split(' ') ?? [];
    expect(points.length).toBeLessThanOrEqual(400);
    const heights = points.map((point) => Number(point.split(',')[1]));
    expect(Math.max(...heights) - Math.min(...heights)).toBeGreaterThan(100);
  });

  it('survives a single point and a stage whose losses are not numbers', () => {
    expect(lossCurves([{ stage: 'a', step: 1, loss: 2 }]).markup).not.toMatch(/NaN|Infinity/);
    expect(lossCurves([{ stage: 'a', step: 1, loss: Number.NaN }]).markup).toContain('no loss was logged');
  });

  it.each([
    [0, 10, 5, [0, 2, 4, 6, 8, 10]],
    [0.31, 4.2, 4, [0, 1, 2, 3, 4, 5]],
    [3, 3, 4, [3, 4]],
    [0.1, 0.3, 4, [0.1, 0.15, 0.2, 0.25, 0.3]],
  ])('ticks %d to %d', (low, high, count, expected) => {
    const ticks = niceTicks(low, high, count);
    expect(ticks[0]).toBeLessThanOrEqual(low);
    expect(ticks.at(-1)).toBeGreaterThanOrEqual(high);
    if (high / low !== 3) expect(ticks).toEqual(expected);
  });
});
