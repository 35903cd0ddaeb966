import type { Outcome } from '../row.ts';
import { ByteReader, utf8 } from './byte-reader.ts';
import type { Located } from './json-lines.ts';
import { jsonLines } from './json-lines.ts';
import { jsonItems } from './json-stream.ts';
import { isPattern } from './parquet/parts.ts';
import { type KeepImage, parquetRecords } from './parquet/records.ts';
import { isParquet } from './parquet/rows.ts';

/** How a file holds its records: an array, one a line, named arrays in one object, or columns. */
export type Container = 'array' | 'lines' | 'document' | 'parquet' | 'empty';

/** A first line longer than this is taken for a whole document. */
const LONGEST_FIRST_LINE = 4 << 20;

/**
 * Looks at how a file begins.
 * @throws TesseraError `data/file`
 */
export function containerOf(path: string): Container {
  if (isPattern(path) || isParquet(path)) return 'parquet';
  const reader = new ByteReader(path);
  try {
    while (/\s/.test(String.fromCharCode(reader.peek()))) reader.skip();
    const first = reader.peek();
    if (first === -1) return 'empty';
    if (first === 0x5b) return 'array';
    return isWholeLine(reader) ? 'lines' : first === 0x7b ? 'document' : 'lines';
  } finally {
    reader.close();
  }
}

/** Whether the line is a JSON object by itself, and no object of arrays, which documents are. */
function isWholeLine(reader: ByteReader): boolean {
  reader.mark();
  for (let n = 0; reader.peek() !== -1 && reader.peek() !== 0x0a; n++) {
    if (n > LONGEST_FIRST_LINE) return false;
    reader.skip();
  }
  try {
    const value = JSON.parse(utf8(reader.taken() ?? new Uint8Array()) ?? '') as Record<string, unknown>;
    return !Array.isArray(value.annotations) && !Array.isArray(value.questions);
  } catch {
    return false;
  }
}

/**
 * The records of an array, of lines or of columns, whichever the file is.
 * @param name what to call the file in messages
 * @param keep takes in images that stand in the file itself
 * @throws TesseraError `data/file`, `data/syntax`, `data/parquet`
 */
export function* records(path: string, name: string, keep: KeepImage): Generator<Outcome<Located>> {
  const container = containerOf(path);
  if (container === 'lines') return yield* jsonLines(path, name);
  if (container === 'parquet') return yield* parquetRecords(path, keep);
  for (const { index, value } of jsonItems(path)) {
    yield { kept: { where: index === undefined ? name : `${name} row ${index + 1}`, value } };
  }
}
