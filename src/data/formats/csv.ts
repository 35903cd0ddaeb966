import { readText } from '../../files/index.ts';
import type { Outcome } from '../row.ts';
import type { Located } from './json-lines.ts';

/**
 * The records of a CSV table (RFC 4180), its first line naming the columns; fields are texts.
 * @throws TesseraError `data/file`
 */
export function* csvRecords(path: string, name: string): Generator<Outcome<Located>> {
  const [head, ...rows] = fieldsOf(readText(path, { code: 'data/file' }));
  for (const { line, fields } of rows) {
    const where = `${name} line ${line}`;
    if (fields.length !== head?.fields.length) {
      yield { refused: wrongWidth(where, head?.fields.length ?? 0, fields.length) };
      continue;
    }
    yield { kept: { where, value: Object.fromEntries(head.fields.map((key, i) => [key, fields[i]])) } };
  }
}

function wrongWidth(path: string, expected: number, got: number) {
  return {
    code: 'row/columns',
    message: 'the line has another number of fields than the first line',
    path,
    expected: `${expected}`,
    got: `${got}`,
    remedy: 'put fields that hold commas or line breaks between double quotes',
  };
}

interface Line {
  /** From 1. */
  readonly line: number;
  readonly fields: readonly string[];
}

/** One field, quoted or not, and what ends it. */
const FIELD = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;

function fieldsOf(text: string): Line[] {
  const lines: Line[] = [];
  let fields: string[] = [];
  let line = 1;
  let begun = 1;
  FIELD.lastIndex = 0;
  while (FIELD.lastIndex < text.length) {
    const at = FIELD.lastIndex;
    const match = FIELD.exec(text);
    if (!match) {
      // A quote in the middle of a field: the line is taken as one field too many, and refused.
      FIELD.lastIndex = endOfLine(text, at);
      fields.push('', '');
      lines.push({ line: begun, fields });
      fields = [];
      begun = ++line;
      continue;
    }
    line += match[0].split('\n').length - 1;
    fields.push(match[1] === undefined ? (match[2] as string) : match[1].replaceAll('""', '"'));
    if (match[3] === ',' && FIELD.lastIndex < text.length) continue;
    if (match[3] === ',') fields.push('');
    if (fields.length > 1 || fields[0] !== '') lines.push({ line: begun, fields });
    fields = [];
    begun = line;
  }
  return lines;
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end + 1;
}
