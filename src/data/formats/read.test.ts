import { existsSync, symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { faultOf } from '../../../test/support/faults.ts';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import type { Fault } from '../../base/index.ts';
import { formatFault } from '../../base/index.ts';
import { detectFormat } from './detect.ts';
import type { ReadOptions } from './read.ts';
import { readRows, streamRows } from './read.ts';

const folder = scratchFolder();
for (const name of ['a.jpg', 'b.jpg', 'COCO_val2014_000000000042.jpg']) folder.write(`pictures/${name}`, name);
const images = folder.path('pictures');
const image = (name: string) => ({ kind: 'image', path: folder.path(`pictures/${name}`) });

const talk = (...values: string[]) => values.map((value, i) => ({ from: i % 2 ? 'gpt' : 'human', value }));

function read(name: string, content: unknown, options: ReadOptions = {}) {
  return readRows(folder.write(name, content), { images, ...options });
}

function refusals(name: string, content: unknown, options: ReadOptions = {}): Fault[] {
  return [...streamRows(folder.write(name, content), { images, ...options })].flatMap((outcome) =>
    'refused' in outcome ? [outcome.refused] : [],
  );
}

const shown = (faults: readonly Fault[]) =>
  faults.map((fault) => formatFault(fault).replaceAll(images, '<pictures>')).join('\n');

describe('plain text files', () => {
  it('are read a text a line, whatever the lines look like', () => {
    const { rows, format } = read('poem.txt', '{\r\n\n a red\u2028ball \n');
    expect(format).toBe('text');
    expect(rows.map(({ where, turns }) => [where, turns])).toEqual(
      [
        ['poem.txt line 1', '{'],
        ['poem.txt line 3', ' a red\u2028ball '],
      ].map(([where, text]) => [where, [{ role: 'assistant', parts: [{ type: 'text', text }] }]]),
    );
  });

  it('must be UTF-8', () => {
    expect(refusals('latin.txt', Buffer.from('caf\xe9\ntea\n', 'latin1'))).toMatchObject([
      { code: 'row/encoding', path: 'latin.txt line 1' },
    ]);
    expect(faultOf(() => read('blank.txt', ' \n\n')).code).toBe('data/empty');
  });
});

it('names a folder of images that is none once, not with every row', () => {
  const rows = [{ image: 'a.jpg', conversations: talk('<image>', 'It.') }];
  for (const images of [folder.path('nowhere'), image('a.jpg').path]) {
    expect(faultOf(() => read('train.json', rows, { images }))).toMatchObject({ code: 'data/images', path: images });
  }
});

describe('LLaVA conversations', () => {
  it('knows no speakers but its own, not even those every object has', () => {
    const said = (from: string) => ({
      conversations: [
        { from, value: 'Hi' },
        { from: 'gpt', value: 'Hello' },
      ],
    });
    const codes = refusals('train.json', ['constructor', '__proto__'].map(said)).map(({ code }) => code);
    expect(codes).toEqual(['row/role', 'row/role']);
  });

  it('looks for stray markers and line breaks in time that grows with the text alone', () => {
    const text = `<${' '.repeat(300_000)}${'\n'.repeat(300_000)}x`;
    const [fault] = refusals('train.json', [{ image: 'a.jpg', conversations: talk(text, 'A cat.') }]);
    expect(fault).toMatchObject({ code: 'row/markers' });
    const value = `a${'\n'.repeat(300_000)}b<image>\n${'\n'.repeat(300_000)}`;
    const { rows } = read('train.json', [{ image: 'a.jpg', conversations: talk(value, 'A cat.') }]);
    expect(rows[0]?.turns[0]?.parts).toHaveLength(2);
  });

  it('binds markers to images in order, and drops the line breaks beside them', () => {
    const { rows, format } = read('train.json', [
      { id: 7, image: 'a.jpg', conversations: talk('<image>\nWhat is it?', 'A cat.', 'Sure?', 'Yes.') },
      { image: ['b.jpg', 'a.jpg'], conversations: talk('Compare <image> and <image>.', 'Alike.') },
    ]);
    expect(format).toBe('llava');
    expect(rows[0]).toEqual({
      id: '7',
      where: 'train.json row 1',
      media: [image('a.jpg')],
      turns: [
        {
          role: 'user',
          parts: [
            { type: 'media', media: 0 },
            { type: 'text', text: 'What is it?' },
          ],
        },
        { role: 'assistant', parts: [{ type: 'text', text: 'A cat.' }] },
        { role: 'user', parts: [{ type: 'text', text: 'Sure?' }] },
        { role: 'assistant', parts: [{ type: 'text', text: 'Yes.' }] },
      ],
    });
    expect(rows[1]?.media).toEqual([image('b.jpg'), image('a.jpg')]);
    expect(rows[1]?.turns[0]?.parts).toEqual([
      { type: 'text', text: 'Compare ' },
      { type: 'media', media: 0 },
      { type: 'text', text: ' and ' },
      { type: 'media', media: 1 },
      { type: 'text', text: '.' },
    ]);
  });

  it('reads text-only rows, ShareGPT names, and lines', () => {
    const record = {
      system: 'Be brief.',
      images: ['a.jpg'],
      conversations: [
        { from: 'user', value: 'Look: <image>' },
        { from: 'assistant', value: 'I see.' },
      ],
    };
    const { rows, format } = read(
      'train.jsonl',
      `${JSON.stringify({ conversations: talk('Hi', 'Hello') })}\n\n${JSON.stringify(record)}`,
    );
    expect(format).toBe('llava');
    expect(rows.map((row) => [row.where, row.media.length])).toEqual([
      ['train.jsonl line 1', 0],
      ['train.jsonl line 3', 1],
    ]);
    expect(rows[1]?.turns.map((turn) => turn.role)).toEqual(['system', 'user', 'assistant']);
  });

  it('refuses rows one by one and says how to mend them', () => {
    const faults = refusals(
      'train.json',
      [
        { image: ['a.jpg', 'b.jpg'], conversations: talk('<image> What?', 'It.') },
        { image: 'a.jpg', conversations: talk('What?', 'It.') },
        { image: 'a.jpg', conversations: talk('<img>\nWhat?', 'It.') },
        { conversations: talk('<image>\nWhat?', 'It.') },
        { image: 'c.jpg', conversations: talk('<image>\nWhat?', 'It.') },
        { conversation: talk('What?', 'It.') },
        { conversations: [{ from: 'humann', value: 'Hi' }] },
        { conversations: talk('Hi', ' ') },
        { conversations: talk('Hi') },
        { conversations: talk('Hi', 'Hello').reverse() },
        { image: 'a.jpg', conversations: talk('Draw it', '<image>') },
        { video: 'a.mp4', conversations: talk('<video>', 'It.') },
        { image: 3, conversations: talk('Hi', 'Hello') },
        { conversations: [] },
        7,
      ],
      { format: 'llava' },
    );
    expect(shown(faults)).toMatchInlineSnapshot(`
      "2 images, 1 marker [row/markers]
        path:     train.json row 1
        expected: one <image> marker for each image
        remedy:   did you mean 1 image? otherwise write 2 markers
      1 image, 0 markers [row/markers]
        path:     train.json row 2
        expected: one <image> marker for each image
        remedy:   did you mean to begin the first user turn with <image>?
      1 image, 0 markers [row/markers]
        path:     train.json row 3
        expected: one <image> marker for each image
        remedy:   did you mean <image> instead of <img>?
      0 images, 1 marker [row/markers]
        path:     train.json row 4
        expected: one <image> marker for each image
        remedy:   did you forget the image key? text that speaks of the marker must be written otherwise
      there is no such image [row/image-missing]
        path:     train.json row 5
        expected: a file in <pictures>
        got:      c.jpg
        remedy:   check the name, and the folder of images
      conversations is missing [row/schema]
        path:     train.json row 6
        expected: array
        remedy:   did you mean conversation as conversations?
      nobody knows this speaker [row/role]
        path:     train.json row 7
        expected: human, gpt, system, user, assistant
        got:      humann
        remedy:   did you mean human?
      a turn says nothing [row/empty-turn]
        path:     train.json row 8
        got:      turn 2, the assistant's, is empty
      the turns do not alternate between user and assistant [row/turns]
        path:     train.json row 9
        expected: an assistant turn at the end
        got:      a user turn at the end
      the turns do not alternate between user and assistant [row/turns]
        path:     train.json row 10
        expected: a user turn
        got:      turn 1 is the assistant's
      the assistant shows an image [row/image-in-answer]
        path:     train.json row 11
        expected: images in user turns alone
        got:      an image in turn 2
      rows with video are not read [row/media]
        path:     train.json row 12
        expected: images and text
        got:      "a.mp4"
        remedy:   take single frames out of a video as images; take the row out otherwise
      image has a wrong value [row/schema]
        path:     train.json row 13
        expected: string or object or array
        got:      3
      the turns do not alternate between user and assistant [row/turns]
        path:     train.json row 14
        expected: an assistant turn at the end
        got:      no turns
      the row has a wrong value [row/schema]
        path:     train.json row 15
        expected: object
        got:      7"
    `);
  });
});

describe('pictures', () => {
  const row = (image: string) => [{ image, conversations: talk('<image>\nWhat?', 'It.') }];

  it('may not leave their folder', () => {
    const names = ['../train.json', 'x/../../train.json', folder.path('p.json'), 'C:\\a.jpg'];
    for (const name of names) expect(refusals('p.json', row(name))[0]?.code, name).toBe('row/image-outside');
    const file = `file://${folder.path('p.json')}`;
    expect(refusals('p.json', row(file))[0]?.code).toBe('row/image-outside');
  });

  it('may be named by absolute paths inside the folder', () => {
    for (const name of [folder.path('pictures/a.jpg'), `file://${folder.path('pictures/a.jpg')}`]) {
      expect(refusals('p.json', row(name))).toEqual([]);
      expect(refusals('p.json', row(name), { images: '/' })).toEqual([]);
    }
    expect(refusals('p.json', row(folder.path('p.json')))[0]?.code).toBe('row/image-outside');
    expect(refusals('p.json', row('C:\\images\\a.jpg'))[0]?.code).toBe('row/image-outside');
  });

  it('may be named through a link to their folder, or by the real path behind it', () => {
    if (!existsSync(folder.path('linked'))) symlinkSync(folder.path('pictures'), folder.path('linked'));
    for (const [images, name] of [
      ['linked', 'pictures/a.jpg'],
      ['pictures', 'linked/a.jpg'],
      ['linked', 'linked/a.jpg'],
    ] as const) {
      expect(refusals('p.json', row(folder.path(name)), { images: folder.path(images) })).toEqual([]);
    }
    const fault = refusals('p.json', row(folder.path('p.json')), { images: folder.path('linked') })[0];
    expect(fault?.code).toBe('row/image-outside');
  });

  it('may be data URIs, but not remote, nameless or folders', () => {
    expect(refusals('p.json', row('data:image/png;base64,AAAA'))).toEqual([]);
    expect(refusals('p.json', row('https://example.org/a.jpg'))[0]?.code).toBe('row/image-remote');
    expect(refusals('p.json', row(' '))[0]?.code).toBe('row/image-path');
    expect(refusals('p.json', row('a\0.jpg'))[0]?.code).toBe('row/image-path');
    expect(refusals('p.json', row('.'))[0]?.code).toBe('row/image-missing');
  });

  it('are looked for beside the data file when no folder is given', () => {
    const path = folder.write('pictures/train.json', row('a.jpg'));
    expect(readRows(path).rows[0]?.media).toEqual([image('a.jpg')]);
  });
});

describe('OpenAI messages', () => {
  const answer = { role: 'assistant', content: 'It.' };

  it('reads text, parts, and parts that take listed images', () => {
    const uri = 'data:image/png;base64,AAAA';
    const content = [
      { type: 'text', text: 'This' },
      { type: 'image_url', image_url: { url: uri, detail: 'low' } },
      { type: 'image', image: 'b.jpg' },
      { type: 'image_url', image_url: 'a.jpg' },
    ];
    const { rows, format } = read(
      'm.jsonl',
      [
        { messages: [{ role: 'system', content: 'S' }, { role: 'user', content }, answer] },
        { images: ['a.jpg'], messages: [{ role: 'user', content: '<image>What?' }, answer] },
        { images: ['a.jpg'], messages: [{ role: 'user', content: [{ type: 'image' }] }, answer] },
      ]
        .map((record) => JSON.stringify(record))
        .join('\n'),
    );
    expect(format).toBe('messages');
    expect(rows[0]?.media).toEqual([{ kind: 'image', path: uri }, image('b.jpg'), image('a.jpg')]);
    expect(rows[0]?.turns[1]?.parts).toEqual([
      { type: 'text', text: 'This' },
      { type: 'media', media: 0 },
      { type: 'media', media: 1 },
      { type: 'media', media: 2 },
    ]);
    expect(rows[1]?.turns[0]?.parts).toEqual([
      { type: 'media', media: 0 },
      { type: 'text', text: 'What?' },
    ]);
    expect(rows[2]?.turns[0]?.parts).toEqual([{ type: 'media', media: 0 }]);
  });

  it('refuses wrong rows', () => {
    const faults = refusals(
      'm.jsonl',
      [
        { messages: [{ role: 'tool', content: 'x' }, answer] },
        { messages: [{ role: 'user', content: [{ type: 'input_audio' }] }, answer] },
        { images: ['a.jpg', 'b.jpg'], messages: [{ role: 'user', content: [{ type: 'image' }] }, answer] },
        { images: ['a.jpg'], messages: [{ role: 'user', content: [{ type: 'image' }, { type: 'image' }] }, answer] },
        { messages: [{ role: 'user', content: '' }, answer] },
      ]
        .map((record) => JSON.stringify(record))
        .join('\n'),
    );
    expect(shown(faults)).toMatchInlineSnapshot(`
      "messages.0.role has a wrong value [row/schema]
        path:     m.jsonl line 1
        expected: system, user, assistant
        got:      "tool"
      messages.0.content.0.type has a wrong value [row/schema]
        path:     m.jsonl line 2
        expected: text, image_url, image
        got:      "input_audio"
      2 listed images, 1 image parts without a name [row/markers]
        path:     m.jsonl line 3
        expected: one image part for each listed image
      1 listed images, 2 image parts without a name [row/markers]
        path:     m.jsonl line 4
        expected: one image part for each listed image
      a turn says nothing [row/empty-turn]
        path:     m.jsonl line 5
        got:      turn 1, the user's, is empty"
    `);
  });
});

describe('plain text', () => {
  it('is one turn to be learned', () => {
    const { rows, format } = read('t.jsonl', '{"text": "A red cube."}\n');
    expect(format).toBe('text');
    expect(rows[0]?.turns).toEqual([{ role: 'assistant', parts: [{ type: 'text', text: 'A red cube.' }] }]);
  });

  it('refuses empty and broken lines', () => {
    expect(shown(refusals('t.jsonl', '{"text": "ok"}\n{"text": ""}\n{"text": 5}\n{"text"\n'))).toMatchInlineSnapshot(`
      "the text is empty [row/empty-turn]
        path:     t.jsonl line 2
      text has a wrong value [row/schema]
        path:     t.jsonl line 3
        expected: string
        got:      5
      the JSON object is malformed [row/json]
        path:     t.jsonl line 4
        expected: a colon after the key
        got:      the end of the text"
    `);
  });
});

describe('COCO captions', () => {
  const coco = {
    info: { year: 2014 },
    annotations: [
      { id: 11, image_id: 1, caption: 'A cat.\n' },
      { id: 12, image_id: 1, caption: 'The cat.' },
      { id: 13, image_id: 2, caption: 'A dog.' },
    ],
    images: [
      { id: 1, file_name: 'a.jpg', height: 4, width: 3 },
      { id: 2, file_name: 'b.jpg' },
    ],
  };

  it('are one row each, whatever the order in the file', () => {
    const { rows, format } = read('captions.json', coco);
    expect(format).toBe('coco-captions');
    expect(rows.map((row) => [row.id, row.media[0], row.turns[1]?.parts[0]])).toEqual([
      ['11', image('a.jpg'), { type: 'text', text: 'A cat.' }],
      ['12', image('a.jpg'), { type: 'text', text: 'The cat.' }],
      ['13', image('b.jpg'), { type: 'text', text: 'A dog.' }],
    ]);
    expect(rows[0]?.turns[0]).toEqual({ role: 'user', parts: [{ type: 'media', media: 0 }] });
  });

  it('refuses captions without text or image, and files with doubled images', () => {
    const annotations = [
      { id: 1, image_id: 9, caption: 'A cat.' },
      { id: 2, image_id: 1, caption: ' ' },
      { id: 3, image_id: 1 },
    ];
    expect(
      shown(refusals('captions.json', { ...coco, annotations }, { format: 'coco-captions' })),
    ).toMatchInlineSnapshot(`
      "the caption is about an image that the file does not list [row/unknown-image]
        path:     captions.json annotation 1
        expected: one of the 2 ids under images
        got:      9
      the caption is empty [row/empty-turn]
        path:     captions.json annotation 2
      caption is missing [row/schema]
        path:     captions.json annotation 3
        expected: string"
    `);
    const doubled = { ...coco, images: [coco.images[0], coco.images[0]] };
    expect(faultOf(() => read('captions.json', doubled))).toMatchObject({
      code: 'data/duplicate-image',
      got: '1: a.jpg and a.jpg',
    });
  });
});

describe('the format of a file', () => {
  it('is found for a document on one line and over many', () => {
    const document = { questions: [{ question_id: 1 }] };
    expect(detectFormat(folder.write('q.json', document))).toBe('vqa');
    expect(detectFormat(folder.write('q.json', JSON.stringify(document, null, 2)))).toBe('vqa');
  });

  it('is found behind a broken first line', () => {
    expect(detectFormat(folder.write('t.jsonl', 'oops\n{"text": "a"}'))).toBe('text');
  });

  it('is refused when unknown, with the nearest key', () => {
    const path = (content: unknown) => folder.write('x.json', content);
    const error = faultOf(() => detectFormat(path([{ conversatons: [] }])));
    expect(formatFault(error).replace(error.path ?? '', 'x.json')).toMatchInlineSnapshot(`
      "the format of the data file is not known [data/unknown-format]
        path:     x.json
        expected: 
          preference         records {prompt, chosen, rejected}
          llava              records {image, conversations: [{from, value}]}
          messages           records {messages: [{role, content}]}
          prompt-completion  records {prompt, completion}
          query-response     records {query, response} or {question, answer}
          alpaca             records {instruction, input, output}
          labelled           records {image, caption, labels: [{box, classes}]}
          image-folder       records {image, text}, or metadata.jsonl or metadata.csv with {file_name, text}; caption or description for text
          text               records {text}, or a .txt file with a text a line
          coco-captions      an object {images: [{id, file_name}], annotations: [{image_id, caption}]}
          vqa                an object {questions: [{question_id, image_id, question}]}
        got:      a first record with conversatons
        remedy:   did you mean conversations instead of conversatons?"
    `);
    expect(faultOf(() => detectFormat(path([{ question_id: 1, label: 'no', text: 'x' }]))).got).toBe('POPE questions');
    const answers = { annotations: [{ question_id: 1, answers: [] }] };
    expect(faultOf(() => detectFormat(path(answers))).remedy).toContain('give the questions file');
    expect(faultOf(() => detectFormat(path({ rows: [] }))).code).toBe('data/unknown-format');
    expect(faultOf(() => detectFormat(path('[]'))).code).toBe('data/empty');
    expect(faultOf(() => detectFormat(path(' \n'))).code).toBe('data/empty');
    expect(faultOf(() => detectFormat(folder.path('none.json'))).code).toBe('data/file');
  });
});
