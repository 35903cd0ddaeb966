import { basename, dirname } from 'node:path';
import { type Fault, type Named, TesseraError } from '../../base/index.ts';
import { lookUp } from '../../files/index.ts';
import { DataReport } from '../report.ts';
import type { Outcome, Row, Sample } from '../row.ts';
import { whichFile } from './data-file.ts';
import { detectFormat, keysOfFirst } from './detect.ts';
import { refuseForeign } from './foreign.ts';
import { imageFolder } from './image-folder.ts';
import { type FormatName, type FormatOptionName, formats } from './table.ts';

export interface ReadOptions {
  /** Found out from the file when absent. */
  readonly format?: FormatName | undefined;
  /** Folder that the names of images are relative to; the data file's own when absent. */
  readonly images?: string | undefined;
  /** Images are made once they are used, so that they are not looked for before. */
  readonly imagesLater?: boolean | undefined;
  /** Folder for images that stand in the file itself, as in Parquet; they are held in memory when absent. */
  readonly unpacked?: string | undefined;
  /** What the format has to be told. */
  readonly settings?: Readonly<Partial<Record<FormatOptionName, string>>> | undefined;
  /** What an objective reads together; one row when absent. */
  readonly views?: readonly string[] | undefined;
  /** Good rows to take from the beginning; all when absent. */
  readonly count?: number | undefined;
}

/**
 * Reads training samples one by one, so that the file may be large; faults of a record are handed out with it, faults
 * of the file are thrown.
 *
 * @throws TesseraError `data/file`, `data/images`, `data/empty`, `data/unknown-format`, `data/syntax`,
 *   `data/parquet`, `data/no-annotations`
 */
export function* streamSamples(path: string, options: ReadOptions = {}): Generator<Outcome<Sample>> {
  if (options.images !== undefined) requireFolder(options.images);
  const format = formats[formatOf(path, options)];
  const { images = dirname(path), imagesLater, unpacked } = options;
  const folder = imageFolder(images, { looks: imagesLater !== true, unpacked });
  for (const outcome of format.samples(path, folder, (options.settings ?? {}) as Named<string>)) {
    yield 'refused' in outcome && options.format ? { refused: hinted(outcome.refused, path, options.format) } : outcome;
  }
}

/** A record that lacks what its format has is perhaps one of another. */
function hinted(fault: Fault, path: string, asked: FormatName): Fault {
  if (fault.code !== 'row/schema' || fault.remedy !== undefined || fault.got !== undefined) return fault;
  try {
    const looks = detectFormat(path);
    return looks === asked ? fault : { ...fault, remedy: `the file looks like ${looks}; format=auto reads it so` };
  } catch (error) {
    if (error instanceof TesseraError) return fault;
    throw error;
  }
}

/**
 * The format that a file is read in.
 * @throws TesseraError `data/file`, `data/empty`, `data/unknown-format`, `data/not-read`, `data/syntax`
 */
export function formatOf(path: string, { format }: ReadOptions): FormatName {
  if (lookUp(path)?.kind === 'folder') throw whichFile(path);
  refuseForeign(path, format === 'image-folder' || /^metadata\.csv$/i.test(basename(path)));
  return format ?? detectFormat(path);
}

/** The rows of a file for an objective that reads one at a time; rows that belong together are refused. */
export function* streamRows(path: string, options: ReadOptions = {}): Generator<Outcome<Row>> {
  for (const outcome of streamFitting(path, options)) {
    yield 'refused' in outcome ? outcome : { kept: outcome.kept.views.row as Row };
  }
}

/**
 * A sample as an objective reads it, or why it does not: it reads these views and no others.
 * @param keys what the rows of the file have, for the refusal
 */
function withViews(sample: Sample, wanted: readonly string[], keys: () => string): Outcome<Sample> {
  const names = Object.keys(sample.views);
  if (names.length === wanted.length && wanted.every((name) => names.includes(name))) return { kept: sample };
  const one = wanted.length === 1;
  const remedy = one
    ? 'keep the chosen answer alone, as messages, to learn it without the other'
    : `give every row ${wanted.join(' and ')}`;
  const has = names.length === 1 && names[0] === 'row' ? 'one conversation' : names.join(' and ');
  return {
    refused: {
      code: 'row/views',
      message: one
        ? `the objective reads one answer, and the row has ${has}`
        : `the objective reads ${wanted.join(' and ')}, and the row has ${has}`,
      path: Object.values(sample.views)[0]?.where ?? '',
      expected: one ? 'one conversation' : wanted.join(', '),
      got: keys(),
      ...(!one || sample.views.chosen ? { remedy } : { remedy: 'give rows one by one' }),
    },
  };
}

/** One fault in the place of one a row. */
function requireFolder(path: string): void {
  const kind = lookUp(path)?.kind;
  if (kind === 'folder') return;
  throw new TesseraError({
    code: 'data/images',
    message: kind === undefined ? 'there is no such folder of images' : 'the folder of images is no folder',
    path,
    remedy: 'name the folder that the names of the images are relative to',
  });
}

/**
 * Reads all training samples of a file, with a report of those refused.
 * @throws as `streamSamples`
 * @example const { samples, report } = readSamples('pairs.json', { views: ['chosen', 'rejected'] });
 */
export function readSamples(
  path: string,
  options: ReadOptions = {},
): { samples: Sample[]; format: FormatName; report: DataReport } {
  const format = formatOf(path, options);
  const report = new DataReport();
  const outcomes = streamFitting(path, { ...options, format });
  const samples = report.collect(path, format, options.count === undefined ? outcomes : upTo(options.count, outcomes));
  return { samples, format, report };
}

/** As `streamSamples`, those refused that have other views than are read. */
export function* streamFitting(path: string, options: ReadOptions = {}): Generator<Outcome<Sample>> {
  let keys: string | undefined;
  const keysOnce = () => {
    keys ??= keysOfFirst(path);
    return keys;
  };
  for (const outcome of streamSamples(path, options)) {
    yield 'refused' in outcome ? outcome : withViews(outcome.kept, options.views ?? ['row'], keysOnce);
  }
}

/**
 * As `readSamples`, for rows that are read one at a time.
 * @example const { rows, report } = readRows('train.json', { images: 'pictures' });
 */
export function readRows(
  path: string,
  options: ReadOptions = {},
): { rows: Row[]; format: FormatName; report: DataReport } {
  const { samples, ...read } = readSamples(path, options);
  return { ...read, rows: samples.map(({ views }) => views.row as Row) };
}

/** The stream as far as the last of so many good rows; what comes after is neither kept nor refused. */
function* upTo<T>(count: number, outcomes: Iterable<Outcome<T>>): Generator<Outcome<T>> {
  let kept = 0;
  for (const outcome of outcomes) {
    yield outcome;
    if ('kept' in outcome && ++kept === count) return;
  }
}
