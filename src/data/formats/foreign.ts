import { closeSync, openSync, readSync } from 'node:fs';
import { extname } from 'node:path';
import { TesseraError } from '../../base/index.ts';
import { lookUp } from '../../files/index.ts';

/** A kind of file that holds data and is not read, with the way to one that is. */
interface Foreign {
  readonly what: string;
  readonly ends: readonly string[];
  /** How its bytes begin, in Latin-1. */
  readonly begins?: RegExp;
  readonly remedy: string;
}

const toLines = (load: string) =>
  `convert it: python -c "import pandas; pandas.${load}('IN').to_json('rows.jsonl', orient='records', lines=True)"`;

const UNPACK = 'unpack it, and name the JSON file inside as the data and its folder as images';

const kinds: readonly Foreign[] = [
  {
    what: 'a Git LFS pointer',
    ends: [],
    begins: /^version https:\/\/git-lfs/,
    remedy: 'fetch the file with `git lfs pull`',
  },
  { what: 'an Arrow file', ends: ['.arrow', '.feather'], begins: /^ARROW1/, remedy: toLines('read_feather') },
  { what: 'a table of tabs', ends: ['.tsv'], remedy: toLines('read_table') },
  { what: 'a table of commas', ends: ['.csv'], remedy: toLines('read_csv') },
  { what: 'a spreadsheet', ends: ['.xlsx', '.xls'], remedy: toLines('read_excel') },
  { what: 'a tar archive', ends: ['.tar'], begins: /^[\s\S]{257}ustar/, remedy: UNPACK },
  { what: 'a packed file', ends: ['.gz', '.tgz', '.bz2', '.xz', '.zst'], begins: /^\x1f\x8b/, remedy: UNPACK },
  { what: 'a ZIP archive', ends: ['.zip'], begins: /^PK\x03\x04/, remedy: UNPACK },
  {
    what: 'a video',
    ends: ['.mp4', '.mov', '.avi', '.mkv', '.webm'],
    begins: /^[\s\S]{4}ftyp/,
    remedy: 'take frames out of it as images, and write rows that show them',
  },
  {
    what: 'a web page',
    ends: ['.html', '.htm'],
    begins: /^\s*<(?:!doctype html|html)/i,
    remedy: 'download the file itself, not the page about it',
  },
];

/**
 * Refuses files of data that are recognised and not read.
 * @param takesTables whether the format asked for reads tables of commas
 * @throws TesseraError `data/not-read` with the way to convert the file
 */
export function refuseForeign(path: string, takesTables: boolean): void {
  const found = foreign(path);
  if (!found || (takesTables && found.ends.includes('.csv'))) return;
  throw new TesseraError({
    code: 'data/not-read',
    message: `${found.what} is not read`,
    path,
    expected: 'JSON, JSON lines, Parquet, plain text, or metadata.csv',
    got: found.what,
    remedy: found.remedy.replace('IN', path.replace(/['"\\]/g, '')),
  });
}

function foreign(path: string): Foreign | undefined {
  const head = beginning(path);
  const end = extname(path).toLowerCase();
  return kinds.find(({ begins }) => begins?.test(head)) ?? kinds.find(({ ends }) => ends.includes(end));
}

/** The first bytes of a file; empty for what is none, which is told by who reads it. */
function beginning(path: string): string {
  if (lookUp(path)?.kind !== 'file') return '';
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(512);
    return bytes.toString('latin1', 0, readSync(file, bytes, 0, 512, 0));
  } finally {
    closeSync(file);
  }
}
