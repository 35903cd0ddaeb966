import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imageName, writeWorld } from '../../world/index.ts';
import { openTasks } from './catalog.ts';
import { chairTask } from './chair.ts';
import { popeTask } from './pope.ts';
import type { AnyTask, Item } from './task.ts';
import { vqaTask } from './vqa.ts';

let folder: string;
let images: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tessera-tasks-'));
  images = join(folder, 'images');
  mkdirSync(images);
  for (const name of ['COCO_val2014_000000000042.jpg', 'b.png', 'x_7.png', 'y_7.png']) write(`images/${name}`, '');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

const lines = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).join('\n');

describe('the POPE task', () => {
  const row = { question_id: 1, image: 'b.png', text: 'Is there a cat in the image?', label: 'yes' };

  it('reads question files and judges answers', async () => {
    const random = write(
      'r.jsonl',
      `${lines([row, { ...row, image: 'COCO_val2014_000000000042.jpg', label: 'no' }])}\n\n`,
    );
    const items = await popeTask({ images, questions: { random } }, { suffix: '\nShort.' }).load();
    expect(items.map((item) => item.prompt)).toEqual(Array(2).fill('Is there a cat in the image?\nShort.'));
    expect(items.map((item) => item.judge({ text: 'No.' }).correct)).toEqual([false, true]);
    expect(items[0]?.judge({ text: 'Hm' }).tallies).toEqual({
      random: { tp: 1, fp: 0, tn: 0, fn: 0, asked: 1, unclear: 1 },
    });
    const limited = await popeTask({ images, questions: { random } }).load(1);
    expect(limited.map((item) => item.truth)).toEqual(['yes']);
  });

  it('names every bad line at once', async () => {
    const random = write('bad.jsonl', `${lines([{ ...row, label: 'maybe' }])}\n{\n${lines([row])}`);
    await expect(popeTask({ images, questions: { random } }).load()).rejects.toMatchObject({
      code: 'eval/row',
      path: `${random} line 1 label`,
      others: [{ code: 'eval/json', path: `${random} line 2:1:2` }],
    });
  });

  it('refuses questions without their images', async () => {
    const random = write('gone.jsonl', lines([{ ...row, image: 'gone.png' }]));
    const expected = { code: 'eval/no-picture', path: `${random} line 1` };
    await expect(popeTask({ images, questions: { random } }).load()).rejects.toMatchObject(expected);
    const outside = write('outside.jsonl', lines([{ ...row, image: '../r.jsonl' }]));
    const leaving = popeTask({ images, questions: { outside } });
    await expect(leaving.load()).rejects.toMatchObject({ code: 'eval/no-picture' });
    const nowhere = popeTask({ images: join(folder, 'nowhere'), questions: { random } });
    await expect(nowhere.load()).rejects.toMatchObject({ code: 'eval/no-folder' });
    const unread = popeTask({ images, questions: { random: join(folder, 'none.jsonl') } });
    await expect(unread.load()).rejects.toMatchObject({ code: 'eval/unreadable' });
  });
});

describe('the VQA task', () => {
  const answers = (answer: string, n = 10) => Array.from({ length: n }, () => ({ answer }));
  const question = { question_id: 420, image_id: 42, question: 'What color is it?' };
  const annotation = { question_id: 420, answers: answers('red'), answer_type: 'other', multiple_choice_answer: 'red' };

  function open(questions: unknown[], annotations: unknown[]): Promise<readonly Item[]> {
    const files = {
      questions: write('q.json', JSON.stringify({ questions })),
      annotations: write('a.json', JSON.stringify({ annotations })),
    };
    return vqaTask({ images, ...files }).load();
  }

  it('finds images by number and asks for a short answer', async () => {
    const [item] = await open([question], [annotation]);
    expect(item?.image).toBe(join(images, 'COCO_val2014_000000000042.jpg'));
    expect(item?.prompt).toBe('What color is it?\nAnswer the question using a single word or phrase.');
    const tally = { score: 1, asked: 1 };
    expect(item?.judge({ text: 'Red.' })).toMatchObject({ correct: true, tallies: { all: tally, other: tally } });
    expect(item?.judge({ text: 'blue' })).toMatchObject({ correct: false, read: 'blue' });
  });

  it('counts questions about places in a group of their own too', async () => {
    const asked = [
      'Is the ball on the left or on the right?',
      'Is the ball above the cube?',
      'Is the ball larger than the cube?',
      'How many balls are there?',
    ];
    const items = await open(
      asked.map((text, i) => ({ ...question, question_id: i, question: text })),
      asked.map((_, i) => ({ ...annotation, question_id: i, answer_type: i === 0 ? 'other' : 'yes/no' })),
    );
    const groups = items.map((item) => Object.keys(item.judge({ text: 'red' }).tallies));
    expect(groups).toEqual([
      ['all', 'other', 'places'],
      ['all', 'yes/no', 'places'],
      ['all', 'yes/no'],
      ['all', 'yes/no'],
    ]);
  });

  it.each([
    ['eval/ambiguous-picture', [{ ...question, image_id: 7 }], [annotation]],
    ['eval/no-picture', [{ ...question, image_id: 8 }], [annotation]],
    ['row/no-answer', [{ ...question, question_id: 1 }], [annotation]],
    ['eval/repeated-question', [question, question], [annotation]],
    ['eval/answers', [question], [{ ...annotation, answers: answers('red', 3) }]],
    ['eval/answer-type', [question], [{ ...annotation, answer_type: undefined }]],
    ['row/schema', [{ ...question, question: 7 }], [annotation]],
  ])('refuses with %s', async (code, questions, annotations) => {
    await expect(open(questions, annotations)).rejects.toMatchObject({ code });
  });
});

describe('the CHAIR task', () => {
  const objects = [
    { shape: 'ball', color: 'red', size: 'small' },
    { shape: 'ball', color: 'red', size: 'small' },
    { shape: 'cube', color: 'blue', size: 'large' },
  ];

  async function judge(answer: string, scene: object = { objects }) {
    const scenes = write('scenes.jsonl', lines([{ image_id: 42, ...scene }]));
    const [item] = await chairTask({ images, scenes }).load();
    const verdict = item!.judge({ text: answer });
    return {
      truth: item?.truth,
      ...verdict,
      marked: verdict.invented.map(({ start, end }) => answer.slice(start, end)),
    };
  }

  it('counts and marks what is not there, and lets denials be', async () => {
    const answer = 'There is a red ball. A green cone lies left of a red cube. There is no star and no cone.';
    const { truth, correct, tallies, invented, marked } = await judge(answer);
    expect(truth).toBe('2 × small red ball, large blue cube');
    expect(correct).toBe(false);
    expect(tallies.all).toMatchObject({
      mentions: 3,
      invented: 1,
      hallucinating: 1,
      present: 2,
      covered: 2,
      words: 21,
    });
    expect(tallies['with colour']).toMatchObject({ mentions: 3, invented: 2, present: 2, covered: 1 });
    expect(tallies.strict).toMatchObject({ mentions: 3, invented: 2, present: 3, covered: 1, complete: 0 });
    expect([invented[0]?.start, ...marked]).toEqual([21, 'A green cone', 'a red cube']);
  });

  it('counts a thing named more often than it is there as not there, and marks it', async () => {
    const { correct, covers, tallies, marked } = await judge('A blue cube, a red ball and a blue cube.');
    expect(tallies.all).toMatchObject({ mentions: 3, invented: 0, hallucinating: 0 });
    expect(tallies.strict).toMatchObject({ mentions: 3, invented: 1, hallucinating: 1, covered: 2, complete: 0 });
    expect([correct, covers, marked]).toEqual([false, { named: 2, of: 3 }, ['a blue cube']]);
  });

  it.each([
    ['A small blue cube.', 'a size'],
    ['A large green cube.', 'a colour'],
  ])('counts %s, with %s that it has not, as not there', async (answer) => {
    const { tallies, correct } = await judge(answer);
    expect(tallies.all).toMatchObject({ mentions: 1, invented: 0 });
    expect(tallies.strict).toMatchObject({ mentions: 1, invented: 1, covered: 0 });
    expect(correct).toBe(false);
  });

  it('takes a caption for complete that names every object once and rightly, and may speak of it again', async () => {
    const answer = 'There are two small red balls and a large blue cube. The cube is blue.';
    const { tallies, covers, correct } = await judge(answer);
    expect(tallies.strict).toMatchObject({ mentions: 3, invented: 0, covered: 3, complete: 1 });
    expect([covers, correct]).toEqual([{ named: 3, of: 3 }, true]);
    expect((await judge('A red ball and a blue cube.')).tallies.strict).toMatchObject({ complete: 0 });
    expect((await judge(`${answer} A red ball.`)).tallies.strict).toMatchObject({ complete: 0 });
  });

  it('does not take a caption that names none of the objects for right', async () => {
    expect((await judge('The image shows a white table.')).correct).toBe(false);
    const { correct, covers } = await judge('There is a red ball.');
    expect([correct, covers]).toEqual([true, { named: 1, of: 3 }]);
  });

  it('holds every claim of a caption against a scene that tells all', async () => {
    const look = { pattern: 'solid', size: 'small' };
    const scene = {
      width: 64,
      height: 64,
      background: 'wooden',
      objects: [
        { id: 0, shape: 'ball', color: 'red', ...look, bbox: [0, 0, 8, 8] },
        { id: 1, shape: 'cube', color: 'blue', ...look, bbox: [48, 48, 56, 56] },
      ],
    };
    const right = 'The image shows two objects on a wooden table. There is a red ball at the top.';
    expect(await judge(right, scene)).toMatchObject({ correct: true, marked: [], covers: { named: 1, of: 2 } });
    for (const [wrong, part] of [
      ['A red ball is on the right.', 'A red ball is on the right'],
      ['A red ball. It shows three objects.', 'It shows three objects'],
      ['A red ball on a white table.', 'A red ball on a white table'],
      ['There is a red ball. The ball is below the cube.', 'The ball is below the cube'],
      ['There is a red ball, and no cube.', 'There is a red ball, and no cube'],
    ]) {
      expect(await judge(wrong as string, scene)).toMatchObject({ correct: false, marked: [part] });
    }
  });

  it('counts the sentences that say nothing readable', async () => {
    const { tallies } = await judge('There is a red ball. Lovely weather today!');
    expect(tallies.all).toMatchObject({ sentences: 2, unread: 1 });
  });
});

describe('openTasks', () => {
  it('asks the same of images that are yet to come', async () => {
    const names = ['pope', 'chair', 'vqa', 'retrieval'];
    const asked = async (mode: 'all' | 'later', coming: string[]) => {
      const world = join(folder, mode);
      const request = { seed: 0, split: 'val', count: 4, popeImages: 4 } as const;
      await writeWorld(world, request, undefined, mode);
      const load = (task: AnyTask) => ('pool' in task ? task.pool(3).then(({ items }) => items) : task.load(3));
      const items = await Promise.all(openTasks(world, names, { coming }).map(load));
      return items.flat().map(({ id, image, prompt, truth }) => ({ id, image: basename(image), prompt, truth }));
    };
    const coming = [0, 1, 2, 3].map((i) => imageName({ image_id: i }));
    const whole = await asked('all', []);
    expect(whole.length).toBeGreaterThan(10);
    expect(await asked('later', coming)).toEqual(whole);
    await expect(asked('later', [])).rejects.toMatchObject({ code: expect.stringMatching(/no-picture|image-missing/) });
  });

  it('names unknown tasks and missing files together', () => {
    expect(() => openTasks(folder, ['pop', 'vqa'])).toThrow(
      expect.objectContaining({
        code: 'eval/unknown-task',
        remedy: 'did you mean pope?',
        others: ['vqa_questions.json', 'vqa_annotations.json'].map((name) =>
          expect.objectContaining({ code: 'eval/missing-file', path: join(folder, name) }),
        ),
      }),
    );
  });
});
