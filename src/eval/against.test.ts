import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { rejectionOf } from '../../test/support/faults.ts';
import { oracle, writeTestSet } from '../../test/support/oracle.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { readRecorded } from './against.ts';
import type { Responder } from './asking.ts';
import { formatScores } from './format-scores.ts';
import { evaluate } from './harness.ts';
import { signTest } from './metrics/sign-test.ts';
import { writeReport } from './report/report.ts';
import { type Evaluation, type ItemRecord, openPredictions } from './results.ts';
import { openTasks } from './tasks/catalog.ts';

const scratch = scratchFolder();
const version = '0.0.0';
let world: string;
let seeing: Responder;
let before: string;

const tasks = (names: readonly string[] = ['pope', 'chair', 'vqa']) => openTasks(world, names);

/** Evaluates a responder into a folder of its own. */
async function evaluated(responder: Responder, limit?: number): Promise<{ folder: string; evaluation: Evaluation }> {
  const folder = scratch.fresh();
  const predictions = openPredictions(folder);
  const options = { version, blind: false, resamples: 50, ...(limit !== undefined && { limit }) };
  const evaluation = await evaluate(responder, tasks(), { ...options, onRecord: (record) => predictions.add(record) });
  predictions.commit(evaluation);
  return { folder, evaluation };
}

beforeAll(async () => {
  world = join(scratch.fresh(), 'world');
  await writeTestSet(world, 30);
  seeing = await oracle(world);
  const yes = { name: 'yes', answer: async (requests: readonly unknown[]) => requests.map(() => ({ text: 'Yes.' })) };
  before = (await evaluated(yes)).folder;
});

describe('an evaluation against another', () => {
  it('has the scores of both as each has them alone, and their paired change', async () => {
    const alone = JSON.parse(readFileSync(join(before, 'eval.json'), 'utf8')) as Evaluation;
    const records: ItemRecord[] = [];
    const against = await readRecorded(before);
    const both = await evaluate(seeing, tasks(), {
      ...{ version, blind: false, resamples: 50, against },
      onRecord: (record) => void records.push(record),
    });
    expect(both.against).toEqual({ model: 'yes', date: alone.date, folder: before });
    both.tasks.forEach((task, i) => {
      for (const [group, metrics] of Object.entries(task.groups)) {
        for (const [metric, { sighted, against, change }] of Object.entries(metrics)) {
          expect(against).toEqual(alone.tasks[i]?.groups[group]?.[metric]?.sighted);
          if (sighted.value === null || against?.value == null) continue;
          expect(change?.value).toBeCloseTo(sighted.value - against.value, 12);
        }
      }
    });
    const pope = both.tasks[0];
    expect(pope?.groups.random?.accuracy?.change?.value).toBe(0.5);
    expect(both.tasks[2]?.groups.all?.accuracy?.change?.low).toBeGreaterThan(0.3);
    // Each question once: POPE's splits ask about the same objects.
    const asked = new Map(records.filter(({ task }) => task === 'pope').map((one) => [one.picture + one.prompt, one]));
    const better = [...asked.values()].filter(({ correct, against }) => correct && !against?.correct).length;
    expect(pope?.flips).toEqual({ questions: asked.size, better, worse: 0, p: signTest(better, 0) });
    expect(formatScores(both)).toMatch(new RegExp(`pope: ${better} became right, 0 wrong, of ${asked.size}`));

    const page = await writeReport(scratch.fresh(), both, { title: 'now', command: '', records });
    const html = readFileSync(page, 'utf8');
    expect(html).toContain('What changed against yes');
    expect(html).toContain('Became right');
    expect(html).not.toContain('Became wrong');
    expect(html.match(/class="better"/g)?.length).toBeGreaterThan(6);
  });

  it('finds no change against itself', async () => {
    const { folder } = await evaluated(seeing);
    const same = await evaluate(seeing, tasks(['vqa']), { version, blind: false, against: await readRecorded(folder) });
    expect(same.tasks[0]?.groups.all?.accuracy?.change).toEqual({ value: 0, low: null, high: null });
    expect(same.tasks[0]?.flips).toMatchObject({ better: 0, worse: 0, p: 1 });
  });

  it('refuses one that was asked other questions, or whose questions have other truths', async () => {
    const { folder } = await evaluated(seeing, 10);
    const compare = async () =>
      evaluate(seeing, tasks(), { version, blind: false, against: await readRecorded(folder) });
    await expect(compare()).rejects.toMatchObject({
      code: 'eval/unpaired',
      got: expect.stringMatching(/^answers to \d+$/),
    });
    const few = await evaluate(seeing, tasks(), {
      version,
      limit: 5,
      blind: false,
      against: await readRecorded(folder),
    });
    expect(few.tasks[0]?.pictures).toBe(5);

    const file = join(folder, 'predictions.jsonl');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/"truth":"[^"]*"/, '"truth":"another"'));
    const changed = { version, limit: 5, blind: false, against: await readRecorded(folder) };
    await expect(evaluate(seeing, tasks(), changed)).rejects.toMatchObject({ code: 'eval/unpaired' });
  });

  it.each([
    ['no results', (folder: string) => rmSync(join(folder, 'eval.json')), 'eval/not-evaluated'],
    [
      'results that say not what was asked',
      (folder: string) => writeFileSync(join(folder, 'eval.json'), '{"model":"a"}'),
      'eval/against',
    ],
    ['half a line', (folder: string) => writeFileSync(join(folder, 'predictions.jsonl'), '{"task":"po'), 'eval/json'],
    [
      'lines of something else',
      (folder: string) => writeFileSync(join(folder, 'predictions.jsonl'), '{"a":1}\n'),
      'eval/row',
    ],
  ])('refuses a folder with %s', async (_, spoil, code) => {
    const { folder } = await evaluated(seeing, 5);
    spoil(folder);
    await expect(readRecorded(folder)).rejects.toMatchObject({ code });
  });

  it('names a command that can be followed where it refuses one', async () => {
    const { folder } = await evaluated(seeing, 5);
    rmSync(join(folder, 'eval.json'));
    const remedy = async (path: string) => (await rejectionOf(readRecorded(path))).remedy;
    expect(await remedy(join(folder, 'nowhere'))).not.toContain('nowhere');
    expect(await remedy(folder)).not.toContain(folder);
    writeFileSync(join(folder, 'config.json'), '{}');
    expect(await remedy(folder)).toContain(`tessera eval ${folder}`);
  });
});
