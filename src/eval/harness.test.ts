import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oracle, writeTestSet } from '../../test/support/oracle.ts';
import type { Progress, Request, Responder } from './asking.ts';
import { formatScores } from './format-scores.ts';
import { evaluate } from './harness.ts';
import { summarise } from './headlines.ts';
import type { Evaluation, ItemRecord } from './results.ts';
import { openPredictions } from './results.ts';
import { openTasks } from './tasks/catalog.ts';

const version = '0.0.0';
let folder: string;
let world: string;
let seeing: Responder;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tessera-eval-'));
  world = join(folder, 'world');
  await writeTestSet(world, 90);
  seeing = await oracle(world);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tasks = () => openTasks(world, ['pope', 'chair', 'vqa']);

function result(evaluation: Evaluation, task: string, group: string, metric: string) {
  const found = evaluation.tasks.find((other) => other.task === task)?.groups[group]?.[metric];
  if (!found) throw new Error(`no ${task} ${group} ${metric}`);
  return found;
}

describe('evaluate', () => {
  it('gives an oracle full marks where it sees, and about chance where it is shown other images', async () => {
    const evaluation = await evaluate(seeing, tasks(), { version, date: '2026-01-01', seed: 3 });
    for (const split of ['random', 'popular', 'adversarial']) {
      const accuracy = result(evaluation, 'pope', split, 'accuracy');
      expect(accuracy.sighted).toMatchObject({ value: 1, high: 1 });
      expect(accuracy.sighted.low!).toBeLessThan(0.9);
      expect(accuracy.blind!.value!).toBeGreaterThan(0.35);
      expect(accuracy.blind!.value!).toBeLessThan(0.7);
      expect(accuracy.difference!.low!).toBeGreaterThan(0.2);
    }
    expect(result(evaluation, 'chair', 'all', 's').sighted.value).toBe(0);
    expect(result(evaluation, 'chair', 'all', 'recall').sighted.value).toBe(1);
    expect(result(evaluation, 'chair', 'with colour', 'i').sighted.value).toBe(0);
    expect(result(evaluation, 'chair', 'with colour', 'recall').sighted.value).toBe(1);
    expect(result(evaluation, 'chair', 'all', 's').blind!.value!).toBeGreaterThan(0.7);
    expect(result(evaluation, 'chair', 'strict', 'i').sighted.value).toBe(0);
    expect(result(evaluation, 'chair', 'strict', 'complete').sighted.value).toBe(1);
    expect(result(evaluation, 'vqa', 'all', 'accuracy').sighted.value).toBe(1);
    expect(result(evaluation, 'vqa', 'places', 'accuracy').sighted.value).toBe(1);
    expect(result(evaluation, 'vqa', 'all', 'accuracy').blind!.value!).toBeLessThan(0.45);
  });

  it('gives a responder that looks at no image the same score with any image', async () => {
    const parrot: Responder = { name: 'parrot', answer: async (requests) => requests.map(() => ({ text: 'Yes.' })) };
    const evaluation = await evaluate(parrot, tasks(), { version });
    const accuracy = result(evaluation, 'pope', 'random', 'accuracy');
    expect(accuracy.sighted.value).toBe(0.5);
    expect(accuracy.difference).toEqual({ value: 0, low: null, high: null });
    expect(result(evaluation, 'pope', 'random', 'yesRatio').sighted.value).toBe(1);
  });

  it('is a function of its options and unmoved by the batch', async () => {
    const run = (batch: number, seed: number) =>
      evaluate(seeing, tasks(), { version, date: '2026-01-01', seed, batch, resamples: 50 });
    expect(await run(7, 1)).toEqual(await run(64, 1));
    expect((await run(7, 2)).tasks).not.toEqual((await run(7, 1)).tasks);
  });

  it('shows a blind question the image of another, and asks the same thing once', async () => {
    const records: ItemRecord[] = [];
    const requests: Request[] = [];
    const spy: Responder = {
      name: 'spy',
      answer: (batch) => {
        requests.push(...batch);
        return seeing.answer(batch);
      },
    };
    await evaluate(spy, tasks(), { version, limit: 20, onRecord: (record) => void records.push(record) });
    const blind = records.filter(({ run }) => run === 'blind');
    expect(blind.length).toBe(records.length / 2);
    expect(blind.filter(({ picture, shown }) => picture === shown)).toEqual([]);
    expect(records.filter(({ run, picture, shown }) => run === 'sighted' && picture !== shown)).toEqual([]);
    const popeRecords = records.filter(({ task }) => task === 'pope');
    expect(new Set(popeRecords.map(({ picture }) => picture)).size).toBe(20);
    const asked = new Set(records.map(({ run, shown, prompt }) => JSON.stringify([run, shown, prompt])));
    expect(requests.length).toBe(asked.size);
    expect(requests.length).toBeLessThan(records.length);
  });

  it('counts the requests of each task up to the announced total', async () => {
    const seen: Progress[] = [];
    await evaluate(seeing, tasks(), {
      version,
      limit: 5,
      batch: 4,
      blind: false,
      onProgress: (progress) => void seen.push(progress),
    });
    for (const name of ['pope', 'chair', 'vqa']) {
      const own = seen.filter(({ task }) => task === name);
      const done = own.map((progress) => progress.done);
      expect(done[0]).toBeLessThanOrEqual(4);
      expect(done).toEqual([...done].sort((a, b) => a - b));
      expect(new Set(own.map(({ total }) => total))).toEqual(new Set([done.at(-1)]));
    }
  });

  it('stops when told and keeps what it has', async () => {
    const controller = new AbortController();
    const records: ItemRecord[] = [];
    const running = evaluate(seeing, tasks(), {
      version,
      batch: 10,
      signal: controller.signal,
      onRecord: (record) => void records.push(record),
      onProgress: ({ done }) => done >= 20 && controller.abort(),
    });
    await expect(running).rejects.toMatchObject({ code: 'eval/interrupted', got: expect.stringMatching(/^20 of \d+/) });
    expect(records.length).toBeGreaterThanOrEqual(20);
  });

  it.each([
    ['eval/responder', () => ({ name: 'short', answer: async () => ['one'] }), {}],
    ['eval/too-few-pictures', () => seeing, { limit: 1 }],
    ['eval/empty', () => seeing, { limit: 0 }],
  ])('refuses with %s', async (code, responder, options) => {
    const running = evaluate(responder() as Responder, tasks(), { version, ...options });
    await expect(running).rejects.toMatchObject({ code });
  });
});

describe('results', () => {
  it('replaces earlier files only when the evaluation is complete', async () => {
    const out = join(folder, 'out');
    const run = async () => {
      const predictions = openPredictions(out);
      const evaluation = await evaluate(seeing, tasks(), {
        version,
        date: '2026-01-01',
        limit: 4,
        resamples: 20,
        onRecord: (record) => predictions.add(record),
      });
      predictions.commit(evaluation);
      return evaluation;
    };
    const evaluation = await run();
    const read = (name: string) => readFileSync(join(out, name), 'utf8');
    const kept = read('predictions.jsonl');
    expect(JSON.parse(read('eval.json'))).toEqual(evaluation);
    expect(kept.trim().split('\n').length).toBe(2 * evaluation.tasks.reduce((sum, task) => sum + task.questions, 0));
    openPredictions(out).add(JSON.parse(kept.split('\n')[0] as string));
    expect(read('predictions.jsonl')).toBe(kept);
    await run();
    expect(read('predictions.jsonl')).toBe(kept);
    const failed = openPredictions(out);
    failed.discard();
    expect(readdirSync(out).sort()).toEqual(['eval.json', 'predictions.jsonl']);
    expect(evaluation.settings).toEqual({ tasks: ['pope', 'chair', 'vqa'], limit: 4, blind: true });
  });

  it('summarises the headline numbers', async () => {
    const evaluation = await evaluate(seeing, tasks(), { version, limit: 20, resamples: 20 });
    expect(summarise(evaluation)).toMatchObject({
      pope: { random: { accuracy: 1, f1: 1, blind: expect.any(Number) }, adversarial: { accuracy: 1 } },
      chair: { strict: { i: 0, complete: 1 }, s: 0, i: 0, recall: 1, 'with colour': { s: 0 } },
      vqa: { accuracy: 1, blind: expect.any(Number), number: { accuracy: 1 } },
    });
  });

  it('prints a table whose columns line up', async () => {
    const evaluation = await evaluate(seeing, tasks(), { version, limit: 20, resamples: 20 });
    const lines = formatScores(evaluation).split('\n');
    expect(lines[0]).toMatch(/^task +group +metric +score +95% interval +blind +difference$/);
    expect(lines[2]).toMatch(/^pope +random +accuracy ↑ +1\.000 +0\.\d{3} … 1\.000 +0\.\d{3} +\+0\.\d{3}$/);
    expect(new Set(lines.map((line) => line.length)).size).toBe(1);
    expect(formatScores(evaluation, { all: true }).split('\n').length).toBeGreaterThan(lines.length);
  });
});
