import { basename, dirname } from 'node:path';
import { nearest, TesseraError } from '../../base/index.ts';
import { lookUp } from '../../files/index.ts';
import { DataReport } from '../report.ts';
import type { Outcome, Row } from '../row.ts';
import { cocoRows } from './coco.ts';
import type { ImageFolder } from './image-folder.ts';
import { imageFolder } from './image-folder.ts';
import { textLines } from './json-lines.ts';
import { jsonItems } from './json-stream.ts';
import { llavaRow } from './llava.ts';
import { messagesRow } from './messages.ts';
import { containerOf, records } from './records.ts';
import { attempt } from './schema.ts';
import { textRow } from './text.ts';
import { vqaItems, vqaRow } from './vqa.ts';

export interface ReadOptions {
  /** Found out from the file when absent. */
  readonly format?: FormatName;
  /** Folder that the names of pictures are relative to; the data file's own when absent. */
  readonly images?: string;
  /** Let pictures be named by absolute paths and lie anywhere. */
  readonly allowOutside?: boolean;
  /** For `vqa`: the file with the answers. */
  readonly annotations?: string;
  /** For `vqa`: how pictures are named, see `PicturedVqaFiles`. */
  readonly imageName?: string;
  /** For `vqa`: appended to each question. */
  readonly promptSuffix?: string;
  /** Good rows to take from the beginning; all when absent. */
  readonly count?: number;
}

interface Format {
  /** What the file looks like, for messages. */
  readonly looks: string;
  rows(path: string, options: ReadOptions, folder: ImageFolder): Generator<Outcome<Row>>;
}

type Convert = (value: unknown, where: string, folder: ImageFolder) => Row;

/** A format of records that stand in an array or one a line. */
function recordFormat(looks: string, convert: Convert): Format {
  return {
    looks,
    *rows(path, _options, folder) {
      for (const record of records(path, basename(path))) {
        if ('refused' in record) yield record;
        else yield attempt(() => convert(record.kept.value, record.kept.where, folder));
      }
    },
  };
}

const textRecords = recordFormat('records {text}', textRow);

const formats = {
  llava: recordFormat('records {image, conversations: [{from, value}]}', llavaRow),
  messages: recordFormat('records {messages: [{role, content}]}', messagesRow),
  text: {
    looks: 'records {text}, or a .txt file with a text a line',
    rows: (path, options, folder) => (isPlainText(path) ? plainRows(path) : textRecords.rows(path, options, folder)),
  },
  'coco-captions': {
    looks: 'an object {images: [{id, file_name}], annotations: [{image_id, caption}]}',
    rows: (path, _options, folder) => cocoRows(path, folder),
  },
  vqa: { looks: 'an object {questions: [{question_id, image_id, question}]}', rows: vqaRows },
} satisfies Record<string, Format>;

/** Formats of training data. */
export type FormatName = keyof typeof formats;

export const formatNames = Object.keys(formats) as FormatName[];

function isPlainText(path: string): boolean {
  return /\.txt$/i.test(path);
}

function* plainRows(path: string): Generator<Outcome<Row>> {
  for (const line of textLines(path, basename(path))) {
    if ('refused' in line) yield line;
    else yield attempt(() => textRow({ text: line.kept.text }, line.kept.where));
  }
}

function* vqaRows(path: string, options: ReadOptions): Generator<Outcome<Row>> {
  const { annotations, images, imageName, allowOutside, promptSuffix } = options;
  if (annotations === undefined) {
    throw new TesseraError({
      code: 'data/no-annotations',
      message: 'VQA questions come without their answers',
      path,
      expected: 'the path of an annotations file',
      remedy: 'set annotations to the file that holds the answers',
    });
  }
  const files = {
    questions: path,
    annotations,
    ...(images !== undefined && { images }),
    ...(imageName !== undefined && { imageName }),
    ...(allowOutside !== undefined && { allowOutside }),
  };
  for (const item of vqaItems(files)) {
    yield 'refused' in item ? item : { kept: vqaRow(item.kept, promptSuffix) };
  }
}

/**
 * Reads training rows one by one, so that the file may be large; faults of a row are handed out with it, faults of the
 * file are thrown.
 *
 * @throws TesseraError `data/file`, `data/images`, `data/empty`, `data/unknown-format`, `data/syntax`,
 *   `data/no-annotations`
 */
export function* streamRows(path: string, options: ReadOptions = {}): Generator<Outcome<Row>> {
  if (options.images !== undefined) requireFolder(options.images);
  const format: Format = formats[options.format ?? detectFormat(path)];
  yield* format.rows(path, options, imageFolder(options.images ?? dirname(path), options.allowOutside));
}

/** One fault in the place of one a row. */
function requireFolder(path: string): void {
  const kind = lookUp(path)?.kind;
  if (kind === 'folder') return;
  throw new TesseraError({
    code: 'data/images',
    message: kind === undefined ? 'there is no such folder of pictures' : 'the folder of pictures is no folder',
    path,
    remedy: 'name the folder that the names of the pictures are relative to',
  });
}

/**
 * Reads all training rows of a file, with a report of those refused.
 * @throws as `streamRows`
 * @example const { rows, report } = readRows('train.json', { images: 'pictures' });
 */
export function readRows(
  path: string,
  options: ReadOptions = {},
): { rows: Row[]; format: FormatName; report: DataReport } {
  const format = options.format ?? detectFormat(path);
  const report = new DataReport();
  const outcomes = streamRows(path, { ...options, format });
  const rows = report.collect(path, format, options.count === undefined ? outcomes : upTo(options.count, outcomes));
  return { rows, format, report };
}

/** The stream as far as the last of so many good rows; what comes after is neither kept nor refused. */
function* upTo(count: number, outcomes: Iterable<Outcome<Row>>): Generator<Outcome<Row>> {
  let kept = 0;
  for (const outcome of outcomes) {
    yield outcome;
    if ('kept' in outcome && ++kept === count) return;
  }
}

/**
 * Tells a file's format from its first record; a `.txt` file holds plain text, whatever it begins with.
 * @throws TesseraError `data/file`, `data/empty`, `data/unknown-format`, `data/syntax`
 */
export function detectFormat(path: string): FormatName {
  const container = containerOf(path);
  if (container !== 'empty' && isPlainText(path)) return 'text';
  if (container === 'document') return detectDocument(path);
  for (const record of container === 'empty' ? [] : records(path, basename(path))) {
    // A broken line is refused when rows are read; the next one tells the format.
    if ('kept' in record) return formatOfRecord(record.kept.value, path);
  }
  throw new TesseraError({ code: 'data/empty', message: 'the data file holds no records', path });
}

/** The key that only records of this format have. */
const TELLING: Readonly<Record<string, FormatName>> = { conversations: 'llava', messages: 'messages', text: 'text' };

function formatOfRecord(value: unknown, path: string): FormatName {
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  if (keys.includes('question_id') && keys.includes('label')) {
    throw unknownFormat(path, 'POPE questions', 'POPE questions are for evaluation, not for training');
  }
  const telling = Object.keys(TELLING).find((key) => keys.includes(key));
  if (telling) return TELLING[telling] as FormatName;
  const near = Object.keys(TELLING).find((key) => nearest(key, keys));
  const remedy = near ? `did you mean ${near} instead of ${nearest(near, keys)}?` : undefined;
  throw unknownFormat(path, `a first record with ${keys.join(', ') || 'no keys'}`, remedy);
}

function detectDocument(path: string): FormatName {
  const seen: string[] = [];
  for (const { section, index, value } of jsonItems(path)) {
    if (section !== undefined && !seen.includes(section)) seen.push(section);
    if (section === 'questions' && index !== undefined) return 'vqa';
    if (section !== 'annotations' || index === undefined) continue;
    const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
    if (keys.includes('caption')) return 'coco-captions';
    if (keys.includes('answers')) {
      throw unknownFormat(path, 'VQA annotations', 'give the questions file as the data and this one as annotations');
    }
    throw unknownFormat(path, `annotations with ${keys.join(', ')}`);
  }
  throw unknownFormat(path, `an object with ${seen.join(', ') || 'nothing'}`);
}

function unknownFormat(path: string, got: string, remedy?: string): TesseraError {
  return new TesseraError({
    code: 'data/unknown-format',
    message: 'the format of the data file is not known',
    path,
    expected: Object.entries(formats)
      .map(([name, { looks }]) => `${name}: ${looks}`)
      .join('; '),
    got,
    ...(remedy !== undefined && { remedy }),
  });
}
