import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { assembleNested } from 'hyparquet/src/assemble.js';
import { DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { parquetMetadata, parquetSchema } from 'hyparquet/src/metadata.js';
import { getTreePath } from 'hyparquet/src/schema.js';
import type { DecodedArray, FileMetaData, ParquetParsers, RowGroup, SchemaTree } from 'hyparquet/src/types.js';
import { TesseraError } from '../../../base/index.ts';
import { lookUp } from '../../../files/index.ts';
import { columnValues, type Extent } from './column.ts';
import { isUnpacked, type Pieces } from './page.ts';

/** Largest description of a file's columns and groups, in bytes. */
const LARGEST_FOOTER = 64 << 20;

/** What a file begins and ends with. */
const MAGIC = 'PAR1';

/** Stands in the place of a text whose bytes are no UTF-8. */
export const NO_TEXT = Symbol('no UTF-8');

/** Whether a file begins as Parquet files do. */
export function isParquet(path: string): boolean {
  if (lookUp(path)?.kind !== 'file') return false;
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(4);
    return readSync(file, head, 0, 4, 0) === 4 && head.toString('latin1') === MAGIC;
  } finally {
    closeSync(file);
  }
}

/**
 * The rows of a Parquet file in order, as objects of strings, numbers, bytes, lists and objects, `NO_TEXT` for texts that
 * cannot be read. Columns are read page by page, so that a file may be larger than the memory.
 * @throws TesseraError `data/parquet`
 */
export function* parquetRows(path: string): Generator<Readonly<Record<string, unknown>>> {
  const fd = openSync(path, 'r');
  try {
    const file = pieces(fd);
    const metadata = told(path, () => readMetadata(file));
    const tree = told(path, () => parquetSchema(metadata));
    const codecs = metadata.row_groups.flatMap(({ columns }) =>
      columns.flatMap(({ meta_data: data }) => data?.codec ?? []),
    );
    const packed = codecs.find((codec) => !isUnpacked(codec));
    if (packed !== undefined) throw packedOtherwise(path, packed);
    for (const group of metadata.row_groups) {
      const columns = told(path, () => columnsOf(file, group, tree));
      for (let row = 0; row < Number(group.num_rows); row++) {
        yield told(path, () => Object.fromEntries(columns.map(({ name, next }) => [name, next()])));
      }
    }
  } finally {
    closeSync(fd);
  }
}

function pieces(fd: number): Pieces {
  const bytes = fstatSync(fd).size;
  return {
    bytes,
    read(at, length) {
      const piece = new Uint8Array(Math.max(0, Math.min(length, bytes - at)));
      let got = 0;
      while (got < piece.length) {
        const more = readSync(fd, piece, got, piece.length - got, at + got);
        if (more === 0) break;
        got += more;
      }
      return piece.subarray(0, got);
    },
  };
}

function readMetadata(file: Pieces): FileMetaData {
  const tail = file.read(Math.max(0, file.bytes - 8), 8);
  if (tail.length < 8 || Buffer.from(tail.subarray(4)).toString('latin1') !== MAGIC) {
    throw new Error(`a file of ${file.bytes} bytes without its end: it is cut off, or was never closed`);
  }
  const length = new DataView(tail.buffer, tail.byteOffset).getUint32(0, true);
  if (length > Math.min(LARGEST_FOOTER, file.bytes - 12)) {
    throw new Error(`an end that says its list of columns takes ${length} bytes, in a file of ${file.bytes} bytes`);
  }
  const start = file.bytes - 8 - length;
  return parquetMetadata(file.read(start, file.bytes - start), { geoparquet: false });
}

/** A column as its rows have it. */
interface Column {
  readonly name: string;
  readonly next: () => unknown;
}

/** As the library has them, but texts stay what they are: one that is no UTF-8, or is JSON, says so itself. */
const parsers: ParquetParsers = { ...DEFAULT_PARSERS, stringFromBytes: textOf, jsonFromBytes: textOf };

// The library declares a text, and passes on whatever is given.
function textOf(bytes: Uint8Array): string {
  try {
    return bytes && new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return NO_TEXT as unknown as string;
  }
}

function columnsOf(file: Pieces, group: RowGroup, tree: SchemaTree): Column[] {
  const rows = Number(group.num_rows);
  const leaves = group.columns.map(({ meta_data: data, file_path: elsewhere }) => {
    if (!data || elsewhere) throw new Error('a column that stands in another file');
    const schemaPath = getTreePath(tree, data.path_in_schema);
    const { element } = schemaPath.at(-1) as SchemaTree;
    const decoder = {
      ...data,
      pathInSchema: data.path_in_schema,
      element,
      schemaPath,
      parsers,
      utf8: false,
    };
    return { path: data.path_in_schema, values: columnValues(file, extentOf(data, file), decoder, rows) };
  });
  return tree.children.map((child) => {
    const own = leaves.filter(({ path }) => path[0] === child.element.name);
    if (own.length === 0) throw new Error(`no values of ${child.element.name}`);
    return { name: child.element.name, next: () => rowValue(child, own) };
  });
}

type ColumnData = NonNullable<RowGroup['columns'][number]['meta_data']>;

function extentOf(data: ColumnData, { bytes }: Pieces): Extent {
  // Some writers say 0 where there is no dictionary.
  const start = Number(data.dictionary_page_offset || data.data_page_offset);
  const end = start + Number(data.total_compressed_size);
  if (!(start >= 4 && end >= start && end <= bytes)) throw new Error(`a column from byte ${start} to ${end}`);
  return { start, end };
}

function rowValue(
  child: SchemaTree,
  leaves: readonly { path: readonly string[]; values: Iterator<unknown> }[],
): unknown {
  const row = new Map(leaves.map(({ path, values }) => [path.join('.'), [values.next().value] as DecodedArray]));
  if (child.children.length > 0) assembleNested(row, child, parsers);
  return row.get(child.element.name)?.[0];
}

const fault = {
  code: 'data/parquet',
  message: 'the Parquet file cannot be read',
  expected: 'a whole file, its pages unpacked or packed by Snappy, gzip or Brotli',
};

const toSnappy = (path: string) =>
  `write it anew: python -c "import pyarrow.parquet as p; p.write_table(p.read_table('${path}'), 'rows.parquet', compression='snappy')"`;

function packedOtherwise(path: string, codec: string): TesseraError {
  const got = `pages packed by ${codec}`;
  return new TesseraError({ ...fault, path, got, remedy: toSnappy(path.replace(/['"\\$`]/g, '')) });
}

/** What goes wrong in a file that others made is the file's fault. */
function told<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof TesseraError) throw cause;
    const got = cause instanceof Error ? cause.message : String(cause);
    const remedy = "download it again, or write it anew with pyarrow or pandas, with compression='snappy'";
    throw new TesseraError({ ...fault, path, got, remedy }, { cause });
  }
}
