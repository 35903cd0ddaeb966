import { basename } from 'node:path';
import { TesseraError } from '../../../base/index.ts';
import type { Outcome } from '../../row.ts';
import type { Located } from '../json-lines.ts';
import { attempt } from '../schema.ts';
import { partsOf } from './parts.ts';
import { NO_TEXT, parquetRows } from './rows.ts';

/** Takes in an image that stands in a file of rows, and says under which name it is found. */
export type KeepImage = (bytes: Uint8Array) => string;

/**
 * The rows of a Parquet file, or of all its parts, as JSON would have them. An image that stands in a row, as bytes or as Hugging Face writes it,
 * `{bytes, path}`, becomes a name.
 * @param path a file, or a pattern that its parts fit
 * @throws TesseraError `data/parquet`, `data/file`, `data/parts`
 */
export function* parquetRecords(path: string, keep: KeepImage): Generator<Outcome<Located>> {
  for (const part of partsOf(path)) yield* recordsOf(part, keep);
}

function* recordsOf(path: string, keep: KeepImage): Generator<Outcome<Located>> {
  const name = basename(path);
  let number = 0;
  for (const row of parquetRows(path)) {
    const where = `${name} row ${++number}`;
    yield attempt(() => ({ where, value: plain(row, { where, keep }) }));
  }
}

interface Place {
  readonly where: string;
  readonly keep: KeepImage;
}

function plain(value: unknown, place: Place): unknown {
  if (value === undefined || value === null) return null;
  if (value === NO_TEXT) throw noText(place.where);
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Uint8Array) return place.keep(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) return value.map((one) => plain(one, place));
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>, (one) => plain(one, place));
  if (typeof value !== 'object') return value;
  if (isImage(value)) return value.bytes ? place.keep(value.bytes) : value.path || null;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one, place)]));
}

/** An image as Hugging Face's `Image` has it: its bytes, or the path of its file. */
function isImage(value: object): value is { readonly bytes: Uint8Array | null; readonly path: string | null } {
  const { bytes, path, ...others } = value as Readonly<Record<string, unknown>>;
  if (!('bytes' in value) || Object.keys(others).length > 0) return false;
  return (bytes == null || bytes instanceof Uint8Array) && (path == null || typeof path === 'string');
}

function noText(path: string): TesseraError {
  return new TesseraError({ code: 'row/encoding', message: 'a text of the row is no UTF-8', path });
}
