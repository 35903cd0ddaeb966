import { basename } from 'node:path';
import { type Fault, nearest, TesseraError } from '../../base/index.ts';
import type { Format } from './format.ts';
import { jsonItems } from './json-stream.ts';
import { containerOf, records } from './records.ts';
import { type FormatName, formats } from './table.ts';

const entries = Object.entries(formats) as [FormatName, Format][];

/**
 * Tells a file's format from its name, or else from its first record.
 * @throws TesseraError `data/file`, `data/empty`, `data/unknown-format`, `data/syntax`
 */
export function detectFormat(path: string): FormatName {
  const container = containerOf(path);
  const name = basename(path);
  const byName = entries.find(([, { known }]) => known.file?.(name));
  if (container !== 'empty' && byName) return byName[0];
  if (container === 'document') return detectDocument(path);
  let broken: Fault | undefined;
  for (const record of container === 'empty' ? [] : records(path, name, () => 'image')) {
    // A broken line is refused when rows are read; the next one tells the format.
    if ('kept' in record) return formatOfRecord(record.kept.value, path);
    broken ??= record.refused;
  }
  if (broken) throw unknownFormat(path, `no record that can be read; the first, ${broken.path}: ${broken.message}`);
  throw new TesseraError({
    code: 'data/empty',
    message: 'the data file holds no records',
    path,
    expected: 'a record a row',
    remedy: 'name a file that holds rows, or write it anew',
  });
}

/** What the first record of a file has, in words. */
export function keysOfFirst(path: string): string {
  for (const record of records(path, basename(path), () => 'image')) {
    if ('kept' in record) return `rows with ${[...keysOf(record.kept.value)].join(', ') || 'no keys'}`;
  }
  return 'rows without keys';
}

const longest = Math.max(...entries.map(([name]) => name.length));

const keysOf = (value: unknown) =>
  new Set(typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : []);

/** Keys that tell a format, for those who misspell them. */
const TELLING = ['conversations', 'messages', 'text', 'completion', 'response', 'instruction', 'image'];

function formatOfRecord(value: unknown, path: string): FormatName {
  const keys = keysOf(value);
  if (keys.has('question_id') && keys.has('label')) {
    throw unknownFormat(path, 'POPE questions', 'POPE questions are for evaluation, not for training');
  }
  const found = entries.find(([, { known }]) => known.record?.(keys));
  if (found) return found[0];
  const near = TELLING.find((key) => nearest(key, [...keys]));
  const remedy = near ? `did you mean ${near} instead of ${nearest(near, [...keys])}?` : undefined;
  throw unknownFormat(path, `a first record with ${[...keys].join(', ') || 'no keys'}`, remedy);
}

function detectDocument(path: string): FormatName {
  const seen: string[] = [];
  for (const { section, index, value } of jsonItems(path)) {
    if (section !== undefined && !seen.includes(section)) seen.push(section);
    if (section === undefined || index === undefined) continue;
    const keys = keysOf(value);
    const found = entries.find(([, { known }]) => known.section?.(section, keys));
    if (found) return found[0];
    if (section !== 'annotations') continue;
    if (keys.has('answers')) {
      throw unknownFormat(path, 'VQA annotations', 'give the questions file as the data and this one as annotations');
    }
    throw unknownFormat(path, `annotations with ${[...keys].join(', ')}`);
  }
  throw unknownFormat(path, `an object with ${seen.join(', ') || 'nothing'}`);
}

function unknownFormat(path: string, got: string, remedy?: string): TesseraError {
  return new TesseraError({
    code: 'data/unknown-format',
    message: 'the format of the data file is not known',
    path,
    expected: entries.map(([name, { looks }]) => `\n    ${name.padEnd(longest)}  ${looks}`).join(''),
    got,
    ...(remedy !== undefined && { remedy }),
  });
}
