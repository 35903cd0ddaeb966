import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { hooks, writeLlava, writeRows } from '../../test/end-to-end/material.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import type { Plan } from '../recipe/index.ts';
import { filePlan, formatRecipe, parsePlan } from '../recipe/index.ts';
import { settleAsked } from './asked.ts';
import { evaluateModel } from './evaluate.ts';
import { runFolder } from './folder.ts';
import { inspectRows } from './inspect.ts';
import { foretellMemory } from './memory.ts';
import { resumeRun, trainPlan } from './train.ts';
import type { Progress } from './types.ts';

const root = scratchFolder();
const answers = new Set(['answers' as const]);
const run = runFolder(root.path('run'));
let rows: string;

beforeAll(async () => {
  process.env.TESSERA_CACHE = root.path('cache');
  writeLlava(root.path('llava'));
  rows = await writeRows(root.path('.'));
});

function planFor(...overrides: string[]): Plan {
  const recipe = `
system: llava-1.5
model: { architecture: llava, from: ${root.path('llava')} }
train: { steps: 1, batch: 2, lr: 1e-3 }
stages:
  - name: tune
    objective: lm
    trainable: [multi_modal_projector.**]
    template: llava-1.5
    data: [{ source: files, path: ${rows} }]
eval: { tasks: [vqa], limit: 2 }
`;
  return parsePlan(recipe, 'scores.yaml', [`output.folder=${run.path}`, ...overrides]);
}

/** Does something at the first answer of an evaluation. */
const atAnswers = (act: () => void) => (progress: Progress) => void (progress.label === 'vqa' && act());

describe('a run and its evaluation', () => {
  it('is finished before it is evaluated: a failure or a stop leaves a run that resuming evaluates again', async () => {
    const fail = atAnswers(() => {
      throw new Error('no more');
    });
    await expect(trainPlan(planFor(), { resume: false }, hooks(undefined, fail))).rejects.toThrow('no more');
    expect(existsSync(run.result)).toBe(true);
    expect(JSON.parse(readFileSync(run.fault, 'utf8'))).toMatchObject({ code: 'run/failed', message: 'no more' });
    const stop = new AbortController();
    const stopping = hooks(
      stop.signal,
      atAnswers(() => stop.abort()),
    );
    // The stop is seen before the next question; the blind run has some left.
    expect(await resumeRun(run.path, stopping)).toMatchObject({ status: 'interrupted' });
    expect(readdirSync(run.path).filter((name) => name.startsWith('predictions'))).toEqual([]);
    // Who stops a run is told of no fault of it.
    expect(existsSync(run.fault)).toBe(false);
    const ended = await resumeRun(run.path, hooks());
    expect(ended).toMatchObject({ status: 'done', eval: { evaluation: { settings: { tasks: ['vqa'], limit: 2 } } } });
    expect(readFileSync(run.report, 'utf8')).toContain(`tessera train ${run.recipe} output.folder=${run.path}-again`);
    expect(await resumeRun(run.path, hooks())).not.toHaveProperty('eval');
  });

  it('has the images drawn that are asked about, and no others', () => {
    const cache = root.path('cache');
    const [world, ...others] = readdirSync(cache).filter((name) => name.startsWith('world-val-500-'));
    expect(others).toEqual([]);
    expect(readdirSync(join(cache, world as string, 'images'))).toHaveLength(2);
  });

  it('keeps its scores when something else is asked', async () => {
    const before = readFileSync(run.evaluation, 'utf8');
    const { report } = await evaluateModel(run.path, { blind: false }, hooks());
    expect(report).toBe(join(run.path, 'evals', 'vqa-limit-2-sighted', 'report.html'));
    expect(readFileSync(run.evaluation, 'utf8')).toBe(before);
  });

  it('is a model to start from and to read rows with', async () => {
    const plan = filePlan(rows, { model: run.path, images: undefined });
    expect((await inspectRows(plan, { rows: 1, colour: false }, hooks())).shown).toHaveLength(1);
  });
});

describe('where results go', () => {
  const finished = runFolder(root.path('finished'));
  beforeAll(() => {
    mkdirSync(finished.path);
    writeFileSync(finished.recipe, formatRecipe(planFor('eval.tasks=pope,vqa', 'eval.limit=100').resolved));
    writeFileSync(finished.result, '{}');
  });
  const place = (options: Partial<Parameters<typeof settleAsked>[1]>) =>
    settleAsked(finished.path, { blind: true, ...options }, answers).out.slice(finished.path.length);

  it('is the run for what its recipe asks, at least', () => {
    expect(place({})).toBe('');
    expect(place({ tasks: ['vqa', 'chair', 'pope'], limit: 100 })).toBe('');
  });

  it.each([
    [{ limit: 50 }, '/evals/pope-vqa-limit-50'],
    [{ tasks: ['vqa'] }, '/evals/vqa-limit-100'],
    [{ quantize: 'int4' as const }, '/evals/pope-vqa-limit-100-int4'],
    [{ template: 'my/chat.jinja' }, '/evals/pope-vqa-limit-100-my-chat.jinja'],
    [{ system: 'Be brief.' }, '/evals/pope-vqa-limit-100-system-213c22ed'],
    [{ data: '../my data/val' }, '/evals/pope-vqa-my-data-val'],
    [{ blind: false }, '/evals/pope-vqa-limit-100-sighted'],
  ])('is a folder of its own for %j', (options, expected) => {
    expect(place(options)).toBe(expected);
  });

  it('is never a folder that is no finished run', () => {
    expect(settleAsked(root.path('llava'), { blind: true }, answers).out).toBe('evals/llava/chair-pope-vqa');
    expect(settleAsked(root.path('llava'), { blind: true, out: 'x' }, answers).out).toBe('x');
  });

  it.each([
    ['eval/unknown-task', { tasks: ['vq'] }],
    ['eval/too-few-pictures', { limit: 1 }],
  ])('is asked only of an evaluation that can be made: %s', (code, options) => {
    expect(() => place(options)).toThrow(expect.objectContaining({ code }));
  });
});

describe('a dry run', () => {
  const foretell = (...overrides: string[]) => foretellMemory(planFor(...overrides), { resume: false }, hooks());

  it('refuses what training would refuse', async () => {
    await expect(foretell()).rejects.toMatchObject({ code: 'run/exists' });
    await expect(foretell(`output.folder=${root.path('.')}`)).rejects.toMatchObject({ code: 'run/not-empty' });
    await expect(foretell(`output.folder=${rows}/below`)).rejects.toMatchObject({ code: 'run/folder' });
    root.write('mine/recipe.yaml', '# my notes\nsystem: llava-1.5\n');
    await expect(foretell(`output.folder=${root.path('mine')}`)).rejects.toMatchObject({ code: 'run/not-empty' });
    const nothing = ['stages.tune.trainable=nothing.**', `output.folder=${root.path('new')}`];
    await expect(foretell(...nothing)).rejects.toMatchObject({ code: 'train/no-such-parameter' });
    expect(existsSync(root.path('new'))).toBe(false);
  });

  it('says when its plan is made from the first rows alone', async () => {
    const folder = `output.folder=${root.path('new')}`;
    expect((await foretell(folder))[0]).not.toHaveProperty('firstRows');
    const { length } = JSON.parse(readFileSync(rows, 'utf8'));
    const many = Array.from({ length: Math.ceil(1100 / length) }, () => JSON.parse(readFileSync(rows, 'utf8'))).flat();
    const path = root.write(
      'many.json',
      many.map((row, i) => ({ ...row, id: `${i}` })),
    );
    expect((await foretell(folder, `stages.tune.data.0.path=${path}`))[0]).toMatchObject({ firstRows: 1000 });
  });

  it('is compared with another by answers alone, and never over it', () => {
    const able = new Set(['answers', 'searches'] as const);
    const ask = (...tasks: string[]) =>
      settleAsked('model', { tasks, blind: false, against: 'other', out: 'other' }, able);
    expect(() => ask('vqa')).toThrow(expect.objectContaining({ code: 'eval/out' }));
    const search = () => settleAsked('model', { tasks: ['vqa', 'retrieval'], blind: false, against: 'other' }, able);
    expect(search).toThrow(expect.objectContaining({ code: 'eval/against', got: 'retrieval' }));
    expect(settleAsked('model', { tasks: ['vqa'], blind: true, against: 'other' }, able).out).toBe(
      'evals/model/vqa-against-other',
    );
  });
});
