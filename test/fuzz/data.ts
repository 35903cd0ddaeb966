import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type Random, TesseraError } from '../../src/base/index.ts';
import {
  checkImage,
  clipCrop,
  clipPad,
  decodeImage,
  formatNames,
  processImage,
  readImageProcessor,
  readRows,
  readSamples,
} from '../../src/data/index.ts';
import { fixture } from '../support/fixtures.ts';
import { spoilBytes } from './bytes.ts';
import { spoilJson } from './models.ts';
import { type Target, textBytes } from './target.ts';

const images = ['image/files', 'image/formats'].flatMap((folder) =>
  readdirSync(fixture(folder)).map((name) => new Uint8Array(readFileSync(fixture(`${folder}/${name}`)))),
);
const isPng = (bytes: Uint8Array) => bytes[0] === 0x89 && bytes[1] === 0x50;

/** An image with spoilt bytes; in a PNG sometimes with the sizes changed and the check sum mended. */
function makeImage(random: Random): Uint8Array {
  const bytes = random.pick(images);
  if (!isPng(bytes) || random.chance(0.5)) return spoilBytes(bytes, random);
  const png = Buffer.from(bytes);
  const sides = [0, 1, 7, 65_535, 65_536, 1_000_000, 2 ** 31 - 1, 2 ** 32 - 1];
  if (random.chance(0.8)) png.writeUInt32BE(random.pick(sides), random.pick([16, 20]));
  else png[random.int(24, 29)] = random.int(0, 20);
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
  return new Uint8Array(png);
}

/** Images, decoded and prepared both ways. */
const image: Target = {
  name: 'image',
  onDisk: false,
  make: (random) => new Map([['picture', makeImage(random)]]),
  async read(files) {
    const bytes = files.get('picture') as Uint8Array;
    const image = await decodeImage(bytes);
    // What can be read is not refused beforehand.
    const uri = `data:;base64,${Buffer.from(bytes).toString('base64')}`;
    if ((await checkImage(uri).catch(() => false)) === false) return false;
    for (const processor of [clipCrop(32), clipPad(32)]) {
      if (processImage(image, processor).shape.join() !== '3,32,32') return false;
    }
    return image.data.length === image.width * image.height * 3;
  },
  verdict: (_, read) => (read === undefined ? undefined : read === true),
};

const processorConfig = {
  image_processor_type: 'CLIPImageProcessor',
  size: { shortest_edge: 32 },
  crop_size: { height: 32, width: 32 },
  resample: 3,
  do_resize: true,
  do_center_crop: true,
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: true,
  image_mean: [0.5, 0.4, 0.3],
  image_std: [0.2, 0.2, 0.2],
};

/** Descriptions of image processors, used on an image. */
const processor: Target = {
  name: 'processor',
  onDisk: false,
  make: (random) => new Map([['preprocessor_config.json', spoilJson(processorConfig, random)]]),
  read(files) {
    const json = parse(files.get('preprocessor_config.json') as Uint8Array);
    const made = readImageProcessor(json, 'preprocessor_config.json');
    return processImage({ width: 5, height: 3, data: new Uint8Array(45) }, made).data.every(Number.isFinite);
  },
  verdict: (_, read) => (read === undefined ? undefined : read === true),
};

/** The file is read by `readJsonObject` elsewhere; here any JSON will do. */
function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new TesseraError({ code: 'fuzz/json', message: 'no JSON', path: 'preprocessor_config.json' });
  }
}

const talk = [
  { from: 'human', value: '<image>\nWhat is it?' },
  { from: 'gpt', value: 'A cube.' },
];
const samples: Readonly<Record<string, unknown>> = {
  llava: [
    { id: 1, image: 'a.png', conversations: talk },
    {
      id: 'b',
      conversations: [
        { from: 'human', value: 'Hi' },
        { from: 'gpt', value: 'Hello' },
      ],
    },
  ],
  povid: [{ id: 1, image: 'a.png', conversations: talk, rejected_conversations: talk }],
  messages: [
    {
      messages: [
        {
          role: 'user',
          content: [
            { type: 'image', image: 'a.png' },
            { type: 'text', text: 'What?' },
          ],
        },
        { role: 'assistant', content: 'A cube.' },
      ],
    },
  ],
  text: [{ text: 'one' }, { id: 2, text: 'two' }],
  'phrase-pairs': [
    {
      prompt: 'What?',
      chosen: 'A cube.',
      rejected: 'A ball.',
      phrases: [{ chosen: [2, 6], rejected: [2, 6] }],
      image: 'a.png',
      reference: { prompt: 'What?', answer: 'A cube.' },
    },
  ],
  halva: [
    {
      id: 1,
      image: 'a.png',
      question: 'What?',
      correct_answer: 'A cube.',
      correct_answer_masked: 'A <MASK>cube</MASK>.',
      hallucinated_answer: 'A ball.',
      hallucinated_answer_masked: 'A <MASK>ball</MASK>.',
    },
  ],
  'rlhf-v': [
    {
      ds_name: 'demo',
      image: { path: 'a.png' },
      text: '{"question": "What?", "chosen": "A cube.", "rejected": "A ball."}',
      idx: 3,
    },
  ],
  'rlaif-v': [{ question: 'What?', chosen: 'A cube.', rejected: 'A ball.', image_path: 'a.png', ds_name: 'demo' }],
  vlfeedback: [
    {
      id: 'a',
      prompt: 'What?',
      models: ['m', 'n'],
      img_path: 'a.png',
      completions: {
        response: ['A cube.', 'A ball.'],
        annotations: [{ Helpfulness: { Rating: '5' } }, { Helpfulness: { Rating: '3' } }],
      },
    },
    {
      prompt: 'What?',
      models: [],
      completions: [{ response: 'A', annotations: { 'Visual Faithfulness': { Rating: 'N/A' } } }],
    },
  ],
  mdpo: [{ img_path: 'a.png', prompt: 'USER: <image>\nWhat? ASSISTANT:', chosen: 'A cube.', rejected: 'A ball.' }],
  preference: [{ prompt: 'What?', chosen: 'A cube.', rejected: 'A ball.', images: ['a.png'] }],
  'prompt-completion': [
    { prompt: 'What?', completion: 'A cube.', images: ['a.png'] },
    {
      prompt: [{ role: 'user', content: 'What?' }],
      completion: [{ role: 'assistant', content: 'A cube.', weight: 1 }],
    },
  ],
  'query-response': [{ query: 'What?', response: 'A cube.', history: [['Hi', 'Hello']], images: ['a.png'] }],
  alpaca: [{ instruction: 'What?', input: 'Say it.', output: 'A cube.', images: [{ path: 'a.png' }] }],
  labelled: [{ image: 'a.png', caption: 'A cube.', labels: [{ box: [0, 0.25, 0.5, 1], classes: [2, 1] }] }],
  'image-folder': [{ file_name: 'a.png', text: 'A cube.' }],
  'coco-captions': {
    images: [{ id: 1, file_name: 'a.png' }],
    annotations: [{ id: 3, image_id: 1, caption: 'A cube.' }],
  },
  vqa: {
    data_subtype: 'val2014',
    questions: [{ question_id: 1, image_id: 1, question: 'What?', image: 'a.png' }],
    annotations: [{ question_id: 1, image_id: 1, answers: [{ answer: 'cube' }], multiple_choice_answer: 'cube' }],
  },
};
const odd: readonly string[] = [
  '\ufeff',
  '\n\n',
  `${'['.repeat(20_000)}\n`,
  '{"a":',
  '\u0000',
  'nonsense\n',
  `"${'x'.repeat(100_000)}"\n`,
];

/** Rows of every format, from an array, from lines, or from one document. */
const rows: Target = {
  name: 'rows',
  onDisk: true,
  make(random) {
    const format = random.pick(formatNames);
    const sample = samples[format];
    const asLines = Array.isArray(sample) && random.chance(0.5);
    const parts = asLines
      ? (sample as unknown[]).map((row) =>
          random.chance(0.7) ? spoilJson(row, random) : textBytes(JSON.stringify(row)),
        )
      : [spoilJson(sample, random)];
    const strange = () => textBytes(random.chance(0.2) ? random.pick(odd) : '');
    const joined = parts.flatMap((part) => [strange(), part, textBytes('\n')]);
    const file = new Uint8Array(Buffer.concat([...joined, strange()]));
    return new Map([
      ['a.png', images[0] as Uint8Array],
      [`${format}.json`, random.chance(0.2) ? spoilBytes(file, random) : file],
    ]);
  },
  read(files, place) {
    const name = [...files.keys()].find((file) => file.endsWith('.json')) as string;
    const path = join(place, name);
    const format = formatNames.find((known) => name === `${known}.json`);
    const { rows, report } = readRows(path, { ...(format && { format }), settings: { annotations: path } });
    const refusal = report.reasons[0]?.examples[0];
    if (rows.length === 0 && refusal) throw new TesseraError(refusal);
    return rows;
  },
};

const columns = readdirSync(fixture('parquet'))
  .filter((name) => name.endsWith('.parquet'))
  .map((name) => new Uint8Array(readFileSync(fixture(`parquet/${name}`))));

/** Parquet files of pairs and of other rows, with spoilt bytes: each row is kept or refused, or the file is. */
const parquet: Target = {
  name: 'parquet',
  onDisk: true,
  make: (random) => new Map([['rows.parquet', spoilBytes(random.pick(columns), random)]]),
  read(_, place) {
    const { samples, report } = readSamples(join(place, 'rows.parquet'), { views: ['chosen', 'rejected'] });
    const refusal = report.reasons[0]?.examples[0];
    if (samples.length === 0 && refusal) throw new TesseraError(refusal);
    return samples;
  },
};

const tables: readonly string[] = [
  'file_name,text\na.png,A cube.\na.png,"A ""red"" cube,\nand more."\n',
  'file_name,caption,id\r\na.png,A cube.,1\r\na.png,,2\r\n',
];

/** Tables of an image folder: every line is a row or a refusal. */
const table: Target = {
  name: 'table',
  onDisk: true,
  make: (random) =>
    new Map([
      ['a.png', images[0] as Uint8Array],
      ['metadata.csv', spoilBytes(textBytes(random.pick(tables)), random)],
    ]),
  read(_, place) {
    const { rows, report } = readRows(join(place, 'metadata.csv'));
    const refusal = report.reasons[0]?.examples[0];
    if (rows.length === 0 && refusal) throw new TesseraError(refusal);
    return rows;
  },
};

export const dataTargets: readonly Target[] = [image, processor, rows, parquet, table];
