import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { talk } from '../../../test/support/data-files.ts';
import { fixture, fixtureJson } from '../../../test/support/fixtures.ts';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import type { ImageMedia, Row, Sample } from '../row.ts';
import { type ReadOptions, readSamples } from './read.ts';
import { readUsableSamples } from './usable.ts';

const scratch = scratchFolder();
const views = ['chosen', 'rejected'];
scratch.write('a.png', 'pixels');
copyFileSync(fixture('image/files/rgb.png'), scratch.path('beside.png'));

const parquet = (name: string) => {
  copyFileSync(join(fixture('parquet'), `${name}.parquet`), scratch.path(`${name}.parquet`));
  return scratch.path(`${name}.parquet`);
};
const json = (rows: readonly unknown[], options: ReadOptions = {}) =>
  readSamples(scratch.write('rows.json', JSON.stringify(rows)), { views, ...options });

const textOf = (row: Row | undefined, turn: number) =>
  row?.turns[turn]?.parts.map((part) => (part.type === 'text' ? part.text : `<${part.type}>`)).join('');
const said = ({ views: { chosen, rejected } }: Sample) => [textOf(chosen, 0), textOf(chosen, 1), textOf(rejected, 1)];
const codes = ({ report }: Pick<ReturnType<typeof readSamples>, 'report'>) =>
  Object.fromEntries(report.reasons.map(({ code, count }) => [code, count]));
const imageOf = ({ views: { chosen } }: Sample) => (chosen?.media[0] as ImageMedia | undefined)?.path;
const bytesOf = (set: string, row: number) => {
  const rows = fixtureJson(`parquet/${set}.json`) as readonly { readonly image: { readonly bytes: string } }[];
  return Buffer.from((rows[row] as (typeof rows)[number]).image.bytes, 'base64');
};

describe('RLHF-V', () => {
  const expected = [
    ['<media>Describe the image.', 'A red ball on a table.', 'A red cup on a table.'],
    ['<media>What is there?', 'A blue cube.', 'A blue cube and a “cup”.'],
    ['<media>And here?', 'Nothing else.', 'A ring.'],
  ];

  it('is read as it lies on the hub, images inside or beside, each row kept or refused once', async () => {
    const unpacked = scratch.path('unpacked');
    const { samples, format, report } = await readUsableSamples(parquet('rlhf-v'), { views, unpacked });
    expect(format).toBe('rlhf-v');
    expect(samples.map(said)).toEqual(expected);
    expect(samples.map(({ views: { chosen } }) => chosen?.id)).toEqual(['0', '1', '2']);
    expect([report.kept, report.rejected]).toEqual([3, 2]);
    expect(codes({ report })).toMatchObject({ 'row/json': 1 });
    const [png, jpeg, beside] = samples.map(imageOf) as [string, string, string];
    expect(readFileSync(png)).toEqual(bytesOf('rlhf-v', 0));
    expect(readFileSync(jpeg)).toEqual(bytesOf('rlhf-v', 1));
    expect([png, jpeg].map((path) => path.replace(/^.*\./, ''))).toEqual(['png', 'jpeg']);
    expect(beside).toBe(scratch.path('beside.png'));
    // What is broken is unpacked too, and refused by whoever looks at images.
    expect(readdirSync(unpacked, { recursive: true }).filter((name) => /\.(?:png|jpeg)$/.test(`${name}`))).toHaveLength(
      3,
    );
  });

  it('keeps images in memory where no folder is given', () => {
    const [first] = readSamples(parquet('rlhf-v'), { views }).samples;
    expect(imageOf(first as Sample)).toBe(`data:;base64,${bytesOf('rlhf-v', 0).toString('base64')}`);
  });
});

it('RLAIF-V is read from several groups of rows', () => {
  const read = readSamples(parquet('rlaif-v'), { views, unpacked: scratch.path('rlaif') });
  expect(read.format).toBe('rlaif-v');
  expect(read.samples.map(said)).toEqual([
    ['<media>Describe the image.', 'A red ball on a table.', 'A red cup on a table.'],
    ['<media>And here?', 'Nothing else.', 'A ring.'],
  ]);
  expect(codes(read)).toEqual({ 'row/schema': 1 });
  // The image of both is one file.
  expect(new Set(read.samples.map(imageOf)).size).toBe(1);
});

describe('VLFeedback', () => {
  const ids = (samples: readonly Sample[]) => samples.map(({ views: { chosen } }) => chosen?.id);

  it('gives a pair of every two answers with different mean ratings', () => {
    const read = readSamples(parquet('vlfeedback'), { views });
    expect(read.format).toBe('vlfeedback');
    expect(read.samples.map(said).map(([, better, worse]) => `${better?.at(-1)}>${worse?.at(-1)}`)).toEqual([
      'A>B',
      'A>D',
      'C>B',
      'B>D',
      'C>D',
      'e>r',
    ]);
    expect(ids(read.samples)).toEqual([
      'svit-1-1-2',
      'svit-1-1-4',
      'svit-1-2-3',
      'svit-1-2-4',
      'svit-1-3-4',
      'svit-2-1-4',
    ]);
    // The third row has two answers of one rating.
    expect(codes(read)).toEqual({ 'row/no-pair': 1 });
  });

  it('is read from lines, completions as lists or as a list', () => {
    const rows = fixtureJson('parquet/vlfeedback.json') as Record<string, unknown>[];
    const asColumns = rows.slice(0, 2).map(({ image, ...row }) => ({ ...row, img_path: 'a.png' }));
    const asList = asColumns.map(({ completions, ...row }: Record<string, unknown>) => {
      const { response, annotations, model } = completions as Record<string, readonly unknown[]>;
      const list = response?.map((text, i) => ({ response: text, annotations: annotations?.[i], model: model?.[i] }));
      return { ...row, completions: list };
    });
    const [columns, list] = [json(asColumns), json(asList)];
    expect([columns.format, list.format]).toEqual(['vlfeedback', 'vlfeedback']);
    expect(list.samples).toEqual(columns.samples);
    expect(ids(list.samples)).toHaveLength(6);
  });

  it('refuses a row whose lists differ in length', () => {
    const row = { prompt: 'What?', models: [], completions: { response: ['a', 'b'], annotations: [null] } };
    expect(codes(json([row]))).toEqual({ 'row/schema': 1 });
  });
});

it('the prompt of mDPO is taken out of the words around it', () => {
  const row = (prompt: string) => ({ img_path: 'a.png', prompt, chosen: 'A cube.', rejected: 'A cup.' });
  const read = json([
    row('A chat. USER: <image>\nWhat is it? ASSISTANT:'),
    row('<image>\nWhat is it?'),
    row('USER: <image>\nWhat? ASSISTANT: A cup. USER: Sure? ASSISTANT:'),
    row('USER: What <image> is <image>? ASSISTANT:'),
  ]);
  expect(read.format).toBe('mdpo');
  const [first, second] = read.samples as [Sample, Sample];
  expect(first.views.chosen?.turns.map(({ role }) => role)).toEqual(['system', 'user', 'assistant']);
  expect([0, 1, 2].map((turn) => textOf(first.views.rejected, turn))).toEqual([
    'A chat.',
    '<media>What is it?',
    'A cup.',
  ]);
  expect(said(second)).toEqual(['<media>What is it?', 'A cube.', 'A cup.']);
  expect(codes(read)).toEqual({ 'row/prompt': 1, 'row/markers': 1 });
});

describe('HALVA', () => {
  const row = {
    id: 'vg-1',
    image: 'a.png',
    tag: 'open',
    question: '<image>\nDescribe it.',
    raw_answer: '',
    correct_answer: 'A red ball and a cube.',
    correct_answer_masked: 'A <MASK>red ball</MASK> and a <MASK>cube</MASK>.',
    hallucinated_answer: 'A green cup and a ring.',
    hallucinated_answer_masked: 'A <MASK>green cup</MASK> and a <MASK>ring</MASK>.',
  };
  const all = [...views, 'reference'];
  const phrases = ({ views }: Sample, side: string) =>
    views[side]?.phrases?.map(([start, end]) => (textOf(views[side], 1) as string).slice(start, end));

  it('marks phrases, and keeps its right answers as they are where no others are given', () => {
    const { samples, format } = json([row], { views: all });
    const [sample] = samples as [Sample];
    expect(format).toBe('halva');
    expect(said(sample)).toEqual(['<media>Describe it.', row.correct_answer, row.hallucinated_answer]);
    expect(phrases(sample, 'chosen')).toEqual(['red ball', 'cube']);
    expect(phrases(sample, 'rejected')).toEqual(['green cup', 'ring']);
    expect(textOf(sample.views.reference, 1)).toBe(row.correct_answer);
    expect(sample.views.reference?.phrases).toBeUndefined();
  });

  it('takes reference answers in order and from the beginning again, those refused told once', () => {
    const references = scratch.write(
      'ref.json',
      JSON.stringify([
        { id: 1, conversations: talk('Hi', 'Hello') },
        { id: 2, image: 'absent.png', conversations: talk('<image>\nHi', 'No') },
        { id: 3, image: 'a.png', conversations: talk('<image>\nWhat?', 'That', 'And?', 'This') },
      ]),
    );
    const read = json([row, row, row, row, row], { views: all, settings: { references } });
    expect(read.samples.map(({ views }) => views.reference?.id)).toEqual(['1', '3', '1', '3', '1']);
    expect(codes(read)).toEqual({ 'row/image-missing': 1 });
  });

  it.each([
    ['marks that do not pair', { correct_answer_masked: 'A <MASK>red ball and a <MASK>cube</MASK>.' }],
    ['an end without a beginning', { correct_answer_masked: 'A red ball</MASK> and a cube.' }],
    ['no marks', { correct_answer_masked: row.correct_answer }],
    ['an empty phrase', { hallucinated_answer_masked: 'A <MASK>green cup</MASK> and a ring<MASK></MASK>.' }],
    ['another number of phrases', { hallucinated_answer_masked: 'A <MASK>green cup and a ring</MASK>.' }],
    ['another text', { correct_answer: 'A blue ball and a cube.' }],
  ])('refuses a row with %s', (_, change) => {
    const read = json([{ ...row, ...change }, row], { views: all });
    expect([read.samples.length, codes(read)]).toEqual([1, { 'row/phrases': 1 }]);
  });
});
