import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backgrounds, colors, shapes } from '../attributes.ts';
import { shortAnswerPrompt } from '../language/question.ts';
import { count, exists } from '../predicates.ts';
import type { Scene } from '../scene.ts';
import { isHeldOut } from '../themes.ts';
import type { CocoCaptions } from './coco.ts';
import type { LlavaRow } from './llava.ts';
import type { PopeQuestion } from './pope.ts';
import { readManifest, readScenes } from './read-world.ts';
import type { VqaAnnotation, VqaQuestion } from './vqa.ts';
import { writeImages, writeWorld } from './write-world.ts';

const request = { seed: 5, split: 'train', count: 400, annotatorNoise: 3 } as const;
let root: string;
let folder: string;
let scenes: Scene[];

const text = (name: string): Promise<string> => readFile(join(folder, name), 'utf8');
const json = async <T>(name: string): Promise<T> => JSON.parse(await text(name)) as T;
const lines = async <T>(name: string): Promise<T[]> =>
  (await text(name))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
const code = (value: string) => expect.objectContaining({ code: value });

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tessera-world-'));
  folder = join(root, 'deep', 'world');
  await writeWorld(folder, request);
  scenes = await readScenes(folder);
}, 60_000);
afterAll(() => rm(root, { recursive: true }));

describe('writeWorld', () => {
  it('writes an image and a record for every scene, and counts its rows', async () => {
    const { files, options } = await readManifest(folder);
    expect(options).toMatchObject({ ...request, size: 64 });
    expect(scenes).toHaveLength(400);
    expect(await readdir(join(folder, 'images'))).toHaveLength(400);
    expect((await readdir(folder)).sort()).toEqual([...Object.keys(files), 'images', 'world.json'].sort());
    expect(await readdir(join(root, 'deep'))).toEqual(['world']);
  });

  it('writes COCO captions', async () => {
    const { images, annotations } = await json<CocoCaptions>('captions.json');
    expect(images[7]).toEqual({ id: 7, file_name: '000000000007.png', width: 64, height: 64 });
    expect(annotations).toHaveLength(1200);
    expect(new Set(annotations.map((a) => a.id)).size).toBe(1200);
    expect(annotations.every((a) => images[a.image_id] && a.caption.endsWith('.'))).toBe(true);
  });

  it('writes captions with what lies where, on what table', async () => {
    const rows = await lines<{ image: string; caption: string; labels: { box: number[]; classes: number[] }[] }>(
      'labelled_captions.jsonl',
    );
    const { annotations } = await json<CocoCaptions>('captions.json');
    expect(rows.map(({ caption }) => caption)).toEqual(annotations.map(({ caption }) => caption));
    for (const { image, labels } of rows) {
      const { objects, width, height, background } = scenes[Number(image.slice(0, 12))] as Scene;
      const [table, ...things] = labels;
      const material = colors.length + 1 + backgrounds.indexOf(background);
      expect(table).toEqual({ box: [0, 0, 1, 1], classes: [shapes.length + 1, material, 3, 4] });
      const told = things.map(({ box: [l = 0, t = 0, r = 0, b = 0], classes: [shape = 0, color = 0] }) => [
        ...[l * width, t * height, r * width, b * height],
        shapes[shape - 1],
        colors[color - 1],
      ]);
      expect(told.sort()).toEqual(objects.map(({ bbox, shape, color }) => [...bbox, shape, color]).sort());
    }
  });

  it('writes LLaVA conversations that alternate and show the image once', async () => {
    const rows = [...(await json<LlavaRow[]>('llava.json')), ...(await json<LlavaRow[]>('llava_text.json'))];
    for (const { image, conversations } of rows) {
      expect(conversations.map((turn) => turn.from)).toEqual(
        conversations.map((_, i) => (i % 2 === 0 ? 'human' : 'gpt')),
      );
      const marks = conversations.map((turn) => turn.value.split('<image>').length - 1);
      expect(marks.reduce((a, b) => a + b)).toBe(image === undefined ? 0 : 1);
      if (image !== undefined) expect(conversations[0]?.value.startsWith('<image>\n')).toBe(true);
    }
    const kinds = ['conversation', 'detail', 'reasoning', 'text'].map((kind) =>
      rows.filter((r) => r.id.endsWith(kind)),
    );
    expect(kinds.map((k) => k.length > 90)).toEqual([true, true, true, true]);
  });

  it('asks for existence with balanced, true answers', async () => {
    let yes = 0;
    let no = 0;
    for (const { image, conversations } of await json<LlavaRow[]>('llava.json')) {
      const scene = scenes[Number(image?.slice(0, 12))] as Scene;
      for (const [i, { value }] of conversations.entries()) {
        const shape = /Is there an? (\w+) in the image\?/.exec(value)?.[1] as 'ball' | undefined;
        const answer = conversations[i + 1]?.value;
        if (!shape || !answer) continue;
        expect(answer).toMatch(exists(scene, { shape }) ? /^Yes\b/ : /^No\b/);
        if (answer.startsWith('Yes')) yes++;
        else no++;
      }
    }
    expect(yes + no).toBeGreaterThan(300);
    expect(Math.abs(yes - no) / (yes + no)).toBeLessThan(0.1);
  });

  it('answers in one word where one is asked for', async () => {
    const turns = (await json<LlavaRow[]>('llava.json')).flatMap((row) => row.conversations);
    const short = turns.filter((_, i) => turns[i - 1]?.value.endsWith(shortAnswerPrompt));
    expect(short.length).toBeGreaterThan(500);
    expect(short.every(({ value }) => /^\w+$/.test(value))).toBe(true);
  });

  it('writes VQA questions with ten answers, as many of them wrong as asked for', async () => {
    const { questions } = await json<{ questions: VqaQuestion[] }>('vqa_questions.json');
    const { annotations } = await json<{ annotations: VqaAnnotation[] }>('vqa_annotations.json');
    expect(annotations.map((a) => a.question_id)).toEqual(questions.map((q) => q.question_id));
    expect(new Set(questions.map((q) => q.question_id)).size).toBe(questions.length);
    for (const { answers, multiple_choice_answer } of annotations) {
      expect(answers.map((a) => a.answer_id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      expect(answers.filter((a) => a.answer !== multiple_choice_answer)).toHaveLength(3);
    }
    expect(new Set(annotations.map((a) => a.answer_type))).toEqual(new Set(['yes/no', 'number', 'other']));
    questions.forEach(({ question, image_id }, i) => {
      if (!/^How many objects/.test(question)) return;
      expect(annotations[i]?.multiple_choice_answer).toBe(`${count(scenes[image_id] as Scene, {})}`);
    });
  });

  it('writes POPE questions with true labels', async () => {
    for (const split of ['random', 'popular', 'adversarial']) {
      const questions = await lines<PopeQuestion>(`pope_${split}.jsonl`);
      expect(questions.length).toBeGreaterThan(300);
      for (const { image, text: question, label } of questions) {
        const shape = /an? (\w+) in/.exec(question)?.[1] as 'ball';
        expect(exists(scenes[Number(image.slice(0, 12))] as Scene, { shape })).toBe(label === 'yes');
      }
    }
  });

  it('never speaks of combinations that are held out', async () => {
    const said = (await lines<{ text: string }>('corpus.jsonl')).map((row) => row.text).join('\n');
    const pairs = said.matchAll(
      /\b(red|green|blue|yellow|purple|orange|black|pink) (?:striped |dotted )?([a-z]+?)(?:es|s)?\b/g,
    );
    const held = [...pairs].filter(([, color, shape]) => isHeldOut(shape as 'ball', color as 'red'));
    expect(held.map(([phrase]) => phrase)).toEqual([]);
  });

  it('uses a folder with the same options again and refuses any other', async () => {
    expect((await writeWorld(folder, request)).reused).toBe(true);
    await expect(writeWorld(folder, { ...request, seed: 6 })).rejects.toThrowError(code('world/folder-differs'));
    const taken = join(root, 'taken');
    await mkdir(taken);
    await writeFile(join(taken, 'mine.txt'), 'keep me');
    await expect(writeWorld(taken, request)).rejects.toThrowError(code('world/folder-taken'));
    expect(await readdir(taken)).toEqual(['mine.txt']);
  });

  it('tells of a place where the system lets nothing be written', async () => {
    const name = join(root, 'w'.repeat(250));
    await expect(writeWorld(name, request)).rejects.toMatchObject({ code: 'world/write', path: name });
  });

  it('writes the same bytes again, tasks apart or together', async () => {
    const again = join(root, 'again');
    await writeWorld(again, { ...request, tasks: ['corpus', 'vqa'] });
    expect((await readdir(again)).sort()).toEqual([
      'corpus.jsonl',
      'images',
      'scenes.jsonl',
      'vqa_annotations.json',
      'vqa_questions.json',
      'world.json',
    ]);
    for (const name of ['corpus.jsonl', 'vqa_questions.json', 'images/000000000003.png']) {
      expect(Buffer.compare(await readFile(join(again, name)), await readFile(join(folder, name)))).toBe(0);
    }
  });

  it('keeps conversations to the topics and the number of turns it is told', async () => {
    const short = join(root, 'short');
    const conversation = { turns: [1, 2], topics: ['color'] } as const;
    const kinds = { conversation: 1, detail: 0, reasoning: 0 };
    const tasks = ['instructions', 'text-instructions'] as const;
    await writeWorld(short, { seed: 0, split: 'train', count: 40, tasks, conversation, instructions: kinds });
    for (const name of ['llava.json', 'llava_text.json']) {
      const rows: LlavaRow[] = JSON.parse(await readFile(join(short, name), 'utf8'));
      const asked = rows.map(({ conversations }) => conversations.filter(({ from }) => from === 'human'));
      expect(asked.every((turns) => turns.length >= 1 && turns.length <= 2)).toBe(true);
      expect(asked.flat().length).toBeGreaterThan(20);
      for (const { value } of asked.flat()) expect(value).toMatch(/What (color is|is the color of) the /);
    }
  });

  it('notices files that have gone', async () => {
    const gone = join(root, 'gone');
    const small = { seed: 0, split: 'val', count: 3, tasks: ['corpus'] } as const;
    await writeWorld(gone, small);
    await rm(join(gone, 'corpus.jsonl'));
    await expect(writeWorld(gone, small)).rejects.toThrowError(code('world/damaged'));
  });

  it('names every wrong option at once', async () => {
    const wrong = { ...request, count: 0, size: 32, scene: { bias: 2 }, split: 'test' as 'val' };
    const error = await writeWorld(join(root, 'wrong'), wrong).catch((e) => e);
    expect([error.path, ...error.others.map((o: { path: string }) => o.path)]).toEqual([
      'split',
      'count',
      'size',
      'scene.bias',
    ]);
    expect((await readdir(root)).includes('wrong')).toBe(false);
  });

  it('leaves images to later, writes those that are asked for, and all once they are wanted', async () => {
    const late = join(root, 'late');
    const small = { ...request, count: 20, tasks: ['captions'] } as const;
    const names = ['000000000003.png', '000000000017.png'];
    await writeWorld(late, small, undefined, 'later');
    expect(await readdir(join(late, 'images'))).toEqual([]);
    await writeImages(late, [...names, names[0] as string]);
    expect((await readdir(join(late, 'images'))).sort()).toEqual(names);
    for (const name of names) {
      const [one, other] = await Promise.all([late, folder].map((world) => readFile(join(world, 'images', name))));
      expect(one?.equals(other as Buffer)).toBe(true);
    }
    expect((await writeWorld(late, small, undefined, 'later')).reused).toBe(true);
    expect(await readdir(join(late, 'images'))).toHaveLength(2);
    await writeWorld(late, small);
    expect(await readdir(join(late, 'images'))).toHaveLength(20);
    expect((await readdir(late)).sort()).toEqual(['captions.json', 'images', 'scenes.jsonl', 'world.json']);
  });
});
