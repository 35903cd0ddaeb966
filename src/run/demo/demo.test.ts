import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { loadPlan } from '../../recipe/index.ts';
import type { Scene } from '../../world/index.ts';
import { openRun, saveResult } from '../folder.ts';
import type { Progress } from '../types.ts';
import { demoFolder } from './folder.ts';
import { actSeconds, stepsBefore, wholeProgress } from './progress.ts';
import { questionsAbout } from './questions.ts';

const scratch = scratchFolder();
const planFor = (folder: string) => loadPlan('llava', [`output.folder=${folder}`]);

describe('the folder of a demo', () => {
  it('is the one asked for while that is free, and an unfinished run of the same plan is gone on with', () => {
    const base = join(scratch.fresh(), 'demo');
    expect(demoFolder(base, planFor)).toEqual({ folder: base, goesOn: false, taken: [] });
    openRun(planFor(base), false);
    expect(demoFolder(base, planFor)).toEqual({ folder: base, goesOn: true, taken: [] });
  });

  it('is another beside what is finished or not its own, which stays as it is', () => {
    const base = join(scratch.fresh(), 'demo');
    const run = openRun(planFor(base), false);
    saveResult(run, { folder: base, status: 'done', stages: [], seconds: 1 });
    writeFileSync(run.evaluation, '{}');
    mkdirSync(`${base}-2/thesis`, { recursive: true });
    writeFileSync(`${base}-2/thesis/notes.txt`, 'precious');
    const before = readdirSync(base);
    const found = demoFolder(base, planFor);
    expect(found).toEqual({ folder: `${base}-3`, goesOn: false, taken: [base, `${base}-2`] });
    expect([readdirSync(base), readFileSync(`${base}-2/thesis/notes.txt`, 'utf8')]).toEqual([before, 'precious']);
  });

  it('goes on with a run whose evaluation is missing, and not with one of other settings', () => {
    const base = join(scratch.fresh(), 'demo');
    const run = openRun(planFor(base), false);
    saveResult(run, { folder: base, status: 'done', stages: [], seconds: 1 });
    expect(demoFolder(base, planFor).goesOn).toBe(true);
    const other = (folder: string) => loadPlan('llava', [`output.folder=${folder}`, 'train.seed=9']);
    expect(demoFolder(base, other).folder).toBe(`${base}-2`);
  });
});

describe('the questions of a demo', () => {
  const look = { size: 'small', pattern: 'solid' } as const;
  const scene: Scene = {
    image_id: 0,
    width: 64,
    height: 64,
    background: 'white',
    objects: [
      { id: 0, shape: 'ball', color: 'red', ...look, bbox: [0, 0, 8, 8] },
      { id: 1, shape: 'star', color: 'blue', ...look, bbox: [48, 48, 56, 56] },
    ],
  };
  const [what, star, many] = questionsAbout(scene);

  it.each([
    ['A red ball.', true, 1],
    ['There is a small red ball at the top and a blue star.', true, 2],
    ['A red ball and a red ball.', false, 1],
    ['A red star.', false, 0],
    ['', false, 0],
  ])('judge the description %j', (answer, right, named) => {
    expect(what?.judge(answer)).toEqual({ right, covers: { named, of: 2 } });
  });

  it.each([
    ['Yes, there is a star.', true],
    ['No.', false],
    ['A star.', false],
  ])('judge %j by a yes or no in so many words', (answer, right) => {
    expect(star?.judge(answer)).toEqual({ right });
  });

  it.each([
    ['There are two objects.', true],
    ['2', true],
    ['Two or three.', false],
    ['Some.', false],
  ])('judge the number in %j', (answer, right) => {
    expect(many?.judge(answer)).toEqual({ right });
  });
});

describe('the progress of a demo', () => {
  it('counts the steps of all stages as one training, and passes on what is no step', () => {
    const plan = loadPlan('llava', []);
    const all = stepsBefore(plan, plan.stages.length);
    const seen: Progress[] = [];
    const show = wholeProgress(plan, {
      signal: new AbortController().signal,
      log: { info: () => {}, warn: () => {} },
      progress: (progress) => void seen.push(progress),
    });
    const [, second] = plan.stages;
    const numbers = { loss: 2, lr: 1 };
    show({ label: `stage ${second?.name}`, done: 7, total: 9, numbers });
    show({ label: 'reading', done: 1, total: 2, unit: 'rows', numbers: {} });
    show({ label: 'reading', done: 2, total: 2, unit: 'rows', numbers: {} });
    show({ label: 'pope', done: 1, total: 2, unit: 'answers', numbers: {} });
    const before = stepsBefore(plan, 1);
    expect(before).toBeGreaterThan(0);
    expect(seen).toEqual([
      { label: 'training', done: before + 7, total: all, numbers: { loss: 2 } },
      { label: 'reading', done: 1, total: 2, unit: 'rows', numbers: {} },
      { label: 'pope', done: 1, total: 2, unit: 'answers', numbers: {} },
    ]);
    expect(actSeconds(plan)[1]).toBeGreaterThan(0.1 * all);
  });
});
