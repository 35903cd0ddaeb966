import { TesseraError } from '../../base/index.ts';
import { parseJson } from '../../files/index.ts';
import { ByteReader, byteSet, utf8 } from './byte-reader.ts';

/** A value of a JSON document, without its siblings. */
export interface JsonItem {
  /** The key of the top-level object it stands under; undefined when the document is an array. */
  readonly section: string | undefined;
  /** Its place in the array, from 0; undefined for a value that is no array element. */
  readonly index: number | undefined;
  readonly value: unknown;
}

const BACKSLASH = 0x5c;
const SPACES = new Set([0x20, 0x0a, 0x0d, 0x09]);
const STRING_ENDS = byteSet('"\\');
const BRACKETS_AND_QUOTES = byteSet('"[]{}');
const WORD_ENDS = byteSet(',]}: \n\r\t');
const code = (character: string) => character.charCodeAt(0);

/**
 * Reads the elements of a document's top-level array, or of the arrays of its top-level object, one by one, so that
 * files longer than a string may be are no trouble.
 *
 * @param wanted which arrays of a top-level object to read; the others are passed over
 * @throws TesseraError `data/file`, `data/syntax` (with the line)
 */
export function* jsonItems(path: string, wanted: (section: string) => boolean = () => true): Generator<JsonItem> {
  const reader = new ByteReader(path);
  try {
    const open = nextByte(reader);
    if (open === code('[')) yield* elements(reader, undefined, true);
    else if (open === code('{')) yield* members(reader, wanted);
    else fail(reader, 'a JSON array or object');
    if (nextByte(reader) !== -1) fail(reader, 'the end of the file');
  } finally {
    reader.close();
  }
}

/**
 * The elements of one array of a document's top-level object.
 * @throws TesseraError as `jsonItems`, and `data/no-section` when there are none
 */
export function* sectionItems(path: string, section: string): Generator<{ index: number; value: unknown }> {
  let found = false;
  for (const item of jsonItems(path, (name) => name === section)) {
    if (item.section !== section || item.index === undefined) continue;
    found = true;
    yield { index: item.index, value: item.value };
  }
  if (found) return;
  throw new TesseraError({
    code: 'data/no-section',
    message: `the data file holds no ${section}`,
    path,
    expected: `an object with an array of ${section}`,
  });
}

function* elements(reader: ByteReader, section: string | undefined, keep: boolean): Generator<JsonItem> {
  reader.skip();
  if (nextByte(reader) === code(']')) return reader.skip();
  for (let index = 0; ; index++) {
    const value = readValue(reader, keep);
    if (keep) yield { section, index, value };
    const next = nextByte(reader);
    if (next !== code(',') && next !== code(']')) fail(reader, 'a comma or ]');
    reader.skip();
    if (next === code(']')) return;
    nextByte(reader);
  }
}

function* members(reader: ByteReader, wanted: (section: string) => boolean): Generator<JsonItem> {
  reader.skip();
  if (nextByte(reader) === code('}')) return reader.skip();
  const seen = new Set<string>();
  for (;;) {
    if (nextByte(reader) !== code('"')) fail(reader, 'a key in double quotes');
    const section = readValue(reader, true) as string;
    if (seen.has(section)) fail(reader, 'each key once', { got: JSON.stringify(section) });
    seen.add(section);
    if (nextByte(reader) !== code(':')) fail(reader, 'a colon');
    reader.skip();
    if (nextByte(reader) === code('[')) yield* elements(reader, section, wanted(section));
    else yield { section, index: undefined, value: readValue(reader, true) };
    const next = nextByte(reader);
    if (next !== code(',') && next !== code('}')) fail(reader, 'a comma or }');
    reader.skip();
    if (next === code('}')) return;
  }
}

/** The next byte that is no white space, not yet taken; -1 at the end. */
function nextByte(reader: ByteReader): number {
  let byte = reader.peek();
  while (SPACES.has(byte)) {
    reader.skip();
    byte = reader.peek();
  }
  return byte;
}

function readValue(reader: ByteReader, keep: boolean): unknown {
  const line = reader.line;
  if (keep) reader.mark();
  passValue(reader);
  if (!keep) return undefined;
  const bytes = reader.taken();
  if (!bytes) fail(reader, 'a record of at most 64 MiB', { line, got: 'a longer one' });
  const text = utf8(bytes);
  try {
    if (text !== undefined) return parseJson(text, { file: reader.path, area: 'data' });
  } catch (cause) {
    const twice = cause instanceof TesseraError && cause.code.endsWith('duplicate-key');
    return fail(reader, 'a JSON value', { line, cause, ...(twice && { remedy: 'keep one of the two' }) });
  }
  return fail(reader, 'UTF-8 text', { line, remedy: 'save it as UTF-8' });
}

/** Moves past one value by its brackets and quotes alone. */
function passValue(reader: ByteReader): void {
  let depth = 0;
  do {
    const byte = reader.peek();
    if (byte === -1) fail(reader, 'the rest of the document', { got: 'the end of the file' });
    if (byte === code('"')) passString(reader);
    else if (byte === code('{') || byte === code('[')) {
      depth++;
      reader.skip();
    } else if (byte === code('}') || byte === code(']')) {
      if (depth === 0) fail(reader, 'a JSON value');
      depth--;
      reader.skip();
    } else if (depth === 0) passWord(reader);
    else reader.skipTo(BRACKETS_AND_QUOTES);
  } while (depth > 0);
}

function passString(reader: ByteReader): void {
  reader.skip();
  for (;;) {
    reader.skipTo(STRING_ENDS);
    const byte = reader.peek();
    if (byte === -1) fail(reader, 'the end of a string', { got: 'the end of the file' });
    reader.skip();
    if (byte === code('"')) return;
    if (byte === BACKSLASH && reader.peek() !== -1) reader.skip();
  }
}

/** A number, `true`, `false` or `null`. */
function passWord(reader: ByteReader): void {
  const first = reader.peek();
  reader.skipTo(WORD_ENDS);
  if (WORD_ENDS[first] === 1) fail(reader, 'a JSON value');
}

function fail(
  reader: ByteReader,
  expected: string,
  about: { line?: number; got?: string; cause?: unknown; remedy?: string } = {},
): never {
  const next = reader.peek();
  const seen = next === -1 ? 'the end of the file' : JSON.stringify(String.fromCharCode(next));
  const parser = about.cause instanceof Error ? about.cause.message : undefined;
  throw new TesseraError(
    {
      code: 'data/syntax',
      message: 'the data file is no valid JSON',
      path: `${reader.path} line ${about.line ?? reader.line}`,
      expected,
      got: about.got ?? parser ?? (about.line === undefined ? seen : 'other bytes'),
      remedy: about.remedy ?? 'one record a line is a .jsonl file; otherwise the file may be cut short',
    },
    { cause: about.cause },
  );
}
