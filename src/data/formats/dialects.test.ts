import { describe, expect, it, test } from 'vitest';
import { faultOf } from '../../../test/support/faults.ts';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import type { Fault } from '../../base/index.ts';
import type { Turn } from '../row.ts';
import { dataFile } from './data-file.ts';
import { type ReadOptions, readRows, streamRows, streamSamples } from './read.ts';

const folder = scratchFolder();
for (const name of ['a.jpg', 'b.jpg']) folder.write(`pictures/${name}`, name);
const images = folder.path('pictures');
const image = (name: string) => ({ kind: 'image', path: folder.path(`pictures/${name}`) });

const linesOf = (...records: readonly unknown[]) => records.map((record) => JSON.stringify(record)).join('\n');
const file = (...records: readonly unknown[]) => folder.write('rows.jsonl', linesOf(...records));
const readOne = (record: unknown, options: ReadOptions = {}) => readRows(file(record), { images, ...options });

function refusal(record: unknown, options: ReadOptions = {}): Fault | undefined {
  const [outcome] = streamRows(file(record), { images, ...options });
  return outcome && 'refused' in outcome ? outcome.refused : undefined;
}

const shown = ({ role, parts }: Turn) =>
  `${role}: ${parts.map((part) => (part.type === 'text' ? part.text : `<${part.type}>`)).join('')}`;
const ask = { role: 'user', content: 'What?' };
const answer = { role: 'assistant', content: 'It.' };
const talk = [
  { from: 'human', value: 'What?' },
  { from: 'gpt', value: 'It.' },
];

describe('the dialects that tools write', () => {
  const seen = ['user: <media>What?', 'assistant: It.'];
  test.each<[string, string, unknown, string[]]>([
    ['TRL messages', 'messages', { messages: [ask, answer], images: ['a.jpg'] }, seen],
    ['images as objects', 'messages', { messages: [ask, answer], images: [{ path: 'a.jpg', bytes: null }] }, seen],
    ['TRL prompt and completion', 'prompt-completion', { prompt: 'What?', completion: 'It.', images: ['a.jpg'] }, seen],
    ['TRL lists of messages', 'prompt-completion', { prompt: [ask], completion: [answer], images: ['a.jpg'] }, seen],
    [
      'ms-swift query and response',
      'query-response',
      { query: '<image>What?', response: 'It.', images: ['a.jpg'] },
      seen,
    ],
    ['question and answer', 'query-response', { question: 'What?', answer: 'It.', image: 'a.jpg' }, seen],
    ['image and text', 'image-folder', { image: 'a.jpg', text: 'It.' }, ['user: <media>', 'assistant: It.']],
    ['image and caption', 'image-folder', { image: ['a.jpg'], caption: 'It.' }, ['user: <media>', 'assistant: It.']],
    [
      'ms-swift history',
      'query-response',
      { query: 'And?', response: 'No.', history: [['What?', 'It.']], images: ['a.jpg'] },
      [...seen, 'user: And?', 'assistant: No.'],
    ],
    [
      'LLaMA-Factory Alpaca',
      'alpaca',
      { instruction: '<image>What?', input: 'Say it.', output: 'It.', images: ['a.jpg'], system: 'S' },
      ['system: S', 'user: <media>What?\nSay it.', 'assistant: It.'],
    ],
    [
      'LLaMA-Factory ShareGPT',
      'llava',
      { conversations: [{ ...talk[0], value: '<image>What?' }, talk[1]], images: ['a.jpg'], tools: '', system: '' },
      seen,
    ],
  ])('%s', (_, format, record, turns) => {
    const { rows, format: found, report } = readOne(record);
    expect(report.reasons).toEqual([]);
    expect(found).toBe(format);
    expect(rows[0]?.turns.map(shown)).toEqual(turns);
    expect(rows[0]?.media).toEqual([image('a.jpg')]);
  });

  it('shows answers of a prompt without learning them', () => {
    const { rows } = readOne({ prompt: [ask, answer, ask], completion: [answer] });
    expect(rows[0]?.turns.map(({ learned }) => learned)).toEqual([undefined, false, undefined, undefined]);
  });

  it('gives both answers of a preference, and refuses it where one is read', () => {
    const pair = { prompt: 'What?', chosen: 'It.', rejected: 'No.', images: ['a.jpg'] };
    const [outcome] = streamSamples(file(pair), { images });
    const views = outcome && 'kept' in outcome ? outcome.kept.views : {};
    expect(Object.entries(views).map(([name, row]) => [name, row.media.length, ...row.turns.map(shown)])).toEqual([
      ['chosen', 1, ...seen],
      ['rejected', 1, seen[0], 'assistant: No.'],
    ]);
    expect(refusal(pair)).toMatchObject({
      code: 'row/views',
      got: 'rows with prompt, chosen, rejected, images',
      path: 'rows.jsonl line 1',
    });
  });
});

it('reads what lies where in an image beside its caption', () => {
  const labels = [{ box: [0, 0.25, 0.5, 1], classes: [2, 1] }];
  const { rows, format } = readOne({ image: 'a.jpg', caption: 'A cat.', labels });
  expect(format).toBe('labelled');
  expect(rows[0]).toMatchObject({ media: [image('a.jpg')], labels });
  expect(rows[0]?.turns.map(shown)).toEqual(['user: <media>', 'assistant: A cat.']);
  const wrong = { image: 'a.jpg', caption: 'A cat.', labels: [{ box: [0, 0.25, 0.5, 1.5], classes: [0] }] };
  expect(refusal(wrong)).toMatchObject({ code: 'row/schema', message: 'labels.0.box.3 has a wrong value' });
});

describe('Hugging Face image folders', () => {
  it('are known by metadata.jsonl', () => {
    const { rows, format } = readOne({ file_name: 'a.jpg', text: 'A cat.' });
    expect(format).toBe('image-folder');
    expect(rows[0]?.turns.map(shown)).toEqual(['user: <media>', 'assistant: A cat.']);
    expect(rows[0]?.media).toEqual([image('a.jpg')]);
  });

  it('are known by metadata.csv', () => {
    const path = folder.write(
      'pictures/metadata.csv',
      'file_name,caption\r\na.jpg,"A cat, ""big""\nand red."\r\nb.jpg,A dog.\nb.jpg\nb.jpg,A "dog".\nmissing.jpg,No.\n',
    );
    const { rows, format, report } = readRows(path);
    expect(format).toBe('image-folder');
    expect(rows.map(({ where, turns }) => [where, shown(turns[1] as Turn)])).toEqual([
      ['metadata.csv line 2', 'assistant: A cat, "big"\nand red.'],
      ['metadata.csv line 4', 'assistant: A dog.'],
    ]);
    expect(report.reasons.map(({ code, examples }) => [code, ...examples.map(({ path }) => path)])).toEqual([
      ['row/columns', 'metadata.csv line 5', 'metadata.csv line 6'],
      ['row/image-missing', 'metadata.csv line 7'],
    ]);
  });

  it('need one image', () => {
    for (const image of [null, [], ['a.jpg', 'b.jpg']]) {
      expect(refusal({ image, text: 'A' })).toMatchObject({
        code: 'row/schema',
        remedy: expect.stringContaining('messages'),
      });
    }
    expect(refusal({ file_name: 'a.jpg', image: 'b.jpg', text: 'A' })?.code).toBe('row/unread');
  });

  it('is named by its file, which a folder of data is told', () => {
    const path = folder.write('shots/metadata.jsonl', '{"file_name": "a.jpg", "text": "A"}');
    folder.write('shots/extra.json', '[]');
    const fault = { code: 'data/file', remedy: `name the file: ${path}` };
    expect(faultOf(() => readRows(folder.path('shots')))).toMatchObject(fault);
    expect(dataFile(folder.path('shots'))).toBe(path);
    expect(dataFile(path)).toBe(path);
  });

  it('and other folders are read where one file can be meant', () => {
    const only = folder.write('one/train.json', '[]');
    folder.write('one/README.txt', 'Rows.');
    expect(dataFile(folder.path('one'))).toBe(only);
    folder.write('one/test.json', '[]');
    expect(faultOf(() => dataFile(folder.path('one'))).code).toBe('data/file');
    const none = folder.write('none/a.txt', 'x');
    expect(faultOf(() => dataFile(folder.path('none'))).remedy).toBe(`name the file: ${none}`);
  });

  it('need one caption', () => {
    expect(refusal({ file_name: 'a.jpg', text: 'A', caption: 'B' })?.code).toBe('row/caption');
    expect(refusal({ file_name: 'a.jpg', text: '' })?.code).toBe('row/caption');
  });
});

describe('turns that are not to be learned', () => {
  const two = (...turns: readonly object[]) => ({
    messages: [ask, { ...answer, ...turns[0] }, ask, { ...answer, ...turns[1] }],
  });

  test.each([
    ['weight', 0],
    ['weight', false],
    ['loss', false],
    ['loss_scale', 0],
    ['train', false],
    ['training', 0],
  ])('%s: %s switches a turn off', (key, value) => {
    const { rows } = readOne(two({ [key]: value }));
    expect(rows[0]?.turns.map(({ learned }) => learned)).toEqual([undefined, false, undefined, undefined]);
    const spoken = [talk[0], { ...talk[1], [key]: value }, ...talk];
    expect(readOne({ conversations: spoken }).rows[0]?.turns[1]?.learned).toBe(false);
    expect(refusal(two({ [key]: value }, { [key]: value }))?.code).toBe('row/nothing-learned');
  });

  it('may be said with 1 and true, but not by halves, twice, or of questions', () => {
    expect(readOne(two({ weight: 1 }, { train: true })).rows).toHaveLength(1);
    expect(refusal(two({ weight: 0.5 }))?.code).toBe('row/turn-weight');
    expect(refusal(two({ weight: 1, train: false }))?.code).toBe('row/turn-weight');
    expect(refusal({ messages: [{ ...ask, train: true }, answer] })?.code).toBe('row/turn-weight');
    expect(readOne({ messages: [{ ...ask, weight: 0 }, answer] }).rows).toHaveLength(1);
  });
});

describe('what training would not see', () => {
  const said = { messages: [ask, answer] };
  it('is refused: a refusal in the place of the answer', () => {
    expect(refusal({ messages: [ask, { ...answer, refusal: 'I will not.' }] })?.code).toBe('row/unread');
    expect(readOne({ messages: [ask, { ...answer, refusal: null }] }).rows).toHaveLength(1);
  });

  test.each<[string, unknown]>([
    ['an image beside text', { text: 'A cat.', img: 'a.jpg' }],
    ['image_path', { ...said, image_path: 'a.jpg' }],
    ['file_name', { conversations: talk, file_name: 'a.jpg' }],
    ['picture', { query: 'What?', response: 'It.', picture: ['a.jpg'] }],
    ['an image under a name of its own', { ...said, scene: 'rooms/12.png' }],
    ['boxes', { ...said, objects: { ref: ['cat'], bbox: [[1, 2, 3, 4]] } }],
    ['boxes of a turn', { conversations: [talk[0], { ...talk[1], bbox: [1, 2, 3, 4] }] }],
    ['tool_calls', { messages: [ask, { role: 'assistant', content: null, tool_calls: [{ id: 1 }] }] }],
    ['function_call', { messages: [ask, { ...answer, function_call: { name: 'f' } }] }],
    ['tools', { ...said, tools: '[{"name": "f"}]' }],
    ['reasoning_content', { messages: [ask, { ...answer, reasoning_content: 'Hm.' }] }],
    ['rejected_response', { ...said, rejected_response: 'No.' }],
    ['rejected in ShareGPT', { conversations: talk, chosen: talk[1], rejected: talk[0] }],
    ['a liking', { prompt: 'What?', completion: 'It.', label: false }],
    ['a weight of the row', { ...said, weight: 0 }],
    ['a liking beside messages', { ...said, label: false }],
    ['a mark of turns beside them', { ...said, loss_mask: [0, 0] }],
    ['a weight of a sample', { conversations: talk, sample_weight: 0 }],
    ['a mark of tokens in camel case', { instruction: 'What?', output: 'It.', lossMask: '01' }],
    ['a turn without supervision', { messages: [ask, { ...answer, supervise: false }] }],
    ['a masked turn', { conversations: [talk[0], { ...talk[1], masked: true }] }],
    ['a row to skip', { query: 'What?', response: 'It.', skip: true }],
    ['a word to ignore beside text', { text: 'A cat.', is_ignored: 1 }],
    ['images beside Alpaca', { instruction: 'What?', output: 'It.', img: 'a.jpg' }],
  ])('%s is refused with a remedy', (_, record) => {
    expect(refusal(record)).toMatchObject({ code: 'row/unread', remedy: expect.any(String) });
  });

  it('is a word on what is learned, where a mask is a list of flags', () => {
    expect(refusal({ ...said, mask: [0, 0, 1] })?.remedy).toContain('weight 0 or 1');
    expect(refusal({ ...said, mask: [[0, 1, 4, 4]] })?.remedy).toContain('places');
    expect(refusal({ ...said, bbox: [0, 0, 1, 1] })?.remedy).toContain('places');
  });

  it('is not metadata, what is empty, or the shown image once more', () => {
    const { rows } = readRows(
      file(
        {
          ...said,
          source: 'web',
          width: 640,
          unskippable: 1,
          trainer: 'x',
          labels: [],
          points: 5,
          tools: '[]',
          functions: ' {} ',
          images: [],
          objects: { bbox: [] },
          rejected_response: null,
        },
        { ...said, images: ['a.jpg'], file_name: 'a.jpg', id: 'x.jpg' },
      ),
      { images },
    );
    expect(rows).toHaveLength(2);
  });

  it('is named for videos and sounds', () => {
    expect(refusal({ ...said, videos: ['a.mp4'] })?.code).toBe('row/media');
    expect(refusal({ ...said, audio: 'a.wav' })?.code).toBe('row/media');
  });
});

describe('files that are not read', () => {
  test.each([
    ['rows.arrow', 'ARROW1xx', 'read_feather'],
    ['rows.csv', 'image,question\na.jpg,What?\n', 'read_csv'],
    ['rows.tar', 'x', 'unpack'],
    ['film.mp4', 'x', 'frames'],
    ['rows.jsonl', 'version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n', 'git lfs pull'],
    ['rows.json', '<!DOCTYPE html><html></html>', 'download'],
  ])('%s is named with the way to convert it', (name, content, remedy) => {
    const path = folder.write(name, content);
    for (const options of [{}, { format: 'llava' } as const]) {
      const fault = faultOf(() => readRows(path, { images, ...options }));
      expect(fault.code).toBe('data/not-read');
      expect(fault.remedy).toContain(remedy);
    }
  });

  it('are read with the right format, which a wrong one hints at', () => {
    expect(refusal({ messages: [ask, answer] }, { format: 'llava' })?.remedy).toContain('looks like messages');
  });
});
