import type { Fault } from '../../base/index.ts';
import { TesseraError } from '../../base/index.ts';
import { parseJson } from '../../files/index.ts';
import type { Outcome } from '../row.ts';
import { ByteReader, byteSet, utf8 } from './byte-reader.ts';

const LINE_END = byteSet('\n');

/** A record and where it stands. */
export interface Located {
  readonly where: string;
  readonly value: unknown;
}

/**
 * Reads one JSON value a line.
 * @throws TesseraError `data/file`
 */
export function* jsonLines(path: string, name: string): Generator<Outcome<Located>> {
  for (const line of textLines(path, name)) yield 'refused' in line ? line : parseLine(line.kept.text, line.kept.where);
}

/**
 * Reads the lines of a UTF-8 file; blank ones are passed over. Only a line feed ends a line, so U+2028 may stand in text.
 * @throws TesseraError `data/file`
 */
export function* textLines(path: string, name: string): Generator<Outcome<{ where: string; text: string }>> {
  const reader = new ByteReader(path);
  try {
    while (reader.peek() !== -1) {
      const where = `${name} line ${reader.line}`;
      const bytes = takeLine(reader);
      const text = bytes && utf8(bytes);
      if (bytes === undefined) yield refused(where, 'row/too-large', 'the line is too long for a record');
      else if (text === undefined) yield refused(where, 'row/encoding', 'the line is no UTF-8 text');
      else if (text.trim() !== '') yield { kept: { where, text: text.replace(/\r$/, '') } };
    }
  } finally {
    reader.close();
  }
}

function takeLine(reader: ByteReader): Buffer | undefined {
  reader.mark();
  reader.skipTo(LINE_END);
  const bytes = reader.taken();
  if (reader.peek() !== -1) reader.skip();
  return bytes;
}

function parseLine(text: string, where: string): Outcome<Located> {
  try {
    return { kept: { where, value: parseJson(text, { file: where, area: 'row' }) } };
  } catch (error) {
    if (error instanceof TesseraError) return { refused: { ...error.toJSON(), path: where } };
    throw error;
  }
}

function refused(path: string, code: string, message: string): { refused: Fault } {
  return { refused: { code, message, path } };
}
