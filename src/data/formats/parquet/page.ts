import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { parquetHeader } from 'hyparquet/src/column.js';
import { getMaxDefinitionLevel, getMaxRepetitionLevel } from 'hyparquet/src/schema.js';
import type { ColumnDecoder, Encoding, PageHeader } from 'hyparquet/src/types.js';
import { unpackSnappy } from './snappy.ts';

/** A file in pieces. */
export interface Pieces {
  readonly bytes: number;
  /** A piece; shorter only where the file ends. */
  read(at: number, length: number): Uint8Array;
}

/** A page with its bytes unpacked: levels of repetition and definition, each behind its length, then values. */
export interface Page {
  readonly dictionary: boolean;
  readonly values: number;
  readonly encoding: Encoding;
  readonly body: Uint8Array;
  /** Where the next page begins. */
  readonly next: number;
}

const unpackers: Readonly<Record<string, (input: Uint8Array, length: number) => Uint8Array>> = {
  UNCOMPRESSED: (input) => input,
  SNAPPY: unpackSnappy,
  GZIP: (input, length) => gunzipSync(input, { maxOutputLength: Math.max(1, length) }),
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: Math.max(1, length) }),
};

/** Whether pages that are packed so can be read. */
export const isUnpacked = (codec: string): boolean => Object.hasOwn(unpackers, codec);

/** Headers are some dozen bytes, and at most some kilobytes where they hold the smallest and largest value. */
const HEADER = 1 << 14;
/** Bounds of what a page may take, since its header says how much room is made for it. */
const LARGEST_PAGE = 1 << 30;
const MOST_VALUES = 1 << 22;
/** A page of so few bytes holds no more than this; of larger ones, so many times their bytes. */
const SMALLEST_BOUND = 1 << 20;
const MOST_PACKED = 1100;

/** How values are written. The others count on what stands in a page, and no file of the public sets has them. */
const ENCODINGS: readonly string[] = ['PLAIN', 'PLAIN_DICTIONARY', 'RLE_DICTIONARY', 'RLE'];

/**
 * The page at a place of a column that ends at `end`. What it says of itself is held against what it is, since who decodes
 * it believes it.
 * @throws Error where they differ
 */
export function pageAt(file: Pieces, at: number, end: number, decoder: ColumnDecoder): Page {
  const { header, length } = headerAt(file, at, end);
  const { compressed_page_size: size, uncompressed_page_size: room } = header;
  const next = at + length + size;
  if (!(size >= 0 && next <= end)) throw new Error(`a page of ${size} bytes goes beyond its column`);
  const most = Math.min(LARGEST_PAGE, Math.max(SMALLEST_BOUND, MOST_PACKED * size));
  if (!(room >= 0 && room <= most)) throw new Error(`a page of ${size} bytes holds ${room} bytes`);
  const bytes = file.read(at + length, size);
  if (bytes.length < size) throw new Error('the file ends inside a page');
  const page = { ...unpacked(header, bytes, decoder), next };
  // Every entry of a dictionary takes a byte at least; of values, any number may stand in two.
  const bound = page.dictionary ? Math.min(MOST_VALUES, page.body.length) : MOST_VALUES;
  if (!(page.values >= 0 && page.values <= bound)) throw new Error(`a page with ${page.values} values`);
  if (!page.dictionary) checkRunsOf(page, decoder);
  return page;
}

/** A header's length is known only once it is read. */
function headerAt(file: Pieces, at: number, end: number): { header: PageHeader; length: number } {
  for (let window = HEADER; ; window *= 16) {
    const bytes = file.read(at, Math.min(window, end - at));
    const reader = { view: viewOf(bytes), offset: 0 };
    try {
      return { header: parquetHeader(reader), length: reader.offset };
    } catch (error) {
      if (window >= end - at || window >= LARGEST_PAGE) throw error;
    }
  }
}

function unpacked(header: PageHeader, bytes: Uint8Array, { codec }: ColumnDecoder): Omit<Page, 'next'> {
  const { uncompressed_page_size: room, dictionary_page_header: dictionary, data_page_header: data } = header;
  const unpack = (input: Uint8Array, length: number) => {
    const body = (unpackers[codec] as (input: Uint8Array, length: number) => Uint8Array)(input, length);
    if (body.length !== length) throw new Error(`a page of ${length} bytes has ${body.length}`);
    return body;
  };
  if (header.type === 'DICTIONARY_PAGE' && dictionary) {
    const { num_values: values, encoding } = dictionary;
    return { dictionary: true, values, encoding, body: unpack(bytes, room) };
  }
  if (header.type === 'DATA_PAGE' && data) {
    return { dictionary: false, values: data.num_values, encoding: data.encoding, body: unpack(bytes, room) };
  }
  return secondVersion(header, bytes, unpack);
}

/** Pages of the second version have their levels unpacked in front, their lengths in the header. */
function secondVersion(
  { type, uncompressed_page_size: room, data_page_header_v2: data }: PageHeader,
  bytes: Uint8Array,
  unpack: (input: Uint8Array, length: number) => Uint8Array,
): Omit<Page, 'next'> {
  if (type !== 'DATA_PAGE_V2' || !data) throw new Error(`a page of the kind ${type}`);
  const { repetition_levels_byte_length: repeats, definition_levels_byte_length: defines } = data;
  const levels = repeats + defines;
  if (!(repeats >= 0 && defines >= 0 && levels <= Math.min(room, bytes.length)))
    throw new Error('levels beyond a page');
  const rest = bytes.subarray(levels);
  const values = data.is_compressed === false || rest.length === 0 ? rest : unpack(rest, room - levels);
  const lengthed = (part: Uint8Array) =>
    part.length === 0 ? [] : [Buffer.from(Uint32Array.of(part.length).buffer), part];
  const parts = [...lengthed(bytes.subarray(0, repeats)), ...lengthed(bytes.subarray(repeats, levels)), values];
  return { dictionary: false, values: data.num_values, encoding: data.encoding, body: Buffer.concat(parts) };
}

/** Levels and places in a dictionary are runs; one that says it is longer than the page would be written out so long. */
function checkRunsOf({ body, values, encoding }: Page, { schemaPath, type }: ColumnDecoder): void {
  if (!ENCODINGS.includes(encoding)) throw new Error(`values written as ${encoding}`);
  const view = viewOf(body);
  let at = 0;
  const lengthed = (width: number) => {
    const [start, end] = [at + 4, at + 4 + view.getUint32(at, true)];
    checkRuns(view, { start, end, width, most: values });
    at = end;
  };
  for (const highest of [getMaxRepetitionLevel(schemaPath), getMaxDefinitionLevel(schemaPath)]) {
    if (highest > 0 && values > 0) lengthed(32 - Math.clz32(highest));
  }
  if (encoding === 'PLAIN' || at >= body.length) return;
  if (type === 'BOOLEAN') lengthed(1);
  else checkRuns(view, { start: at + 1, end: body.length, width: view.getUint8(at), most: values });
}

interface Runs {
  readonly start: number;
  readonly end: number;
  /** Bits of a value. */
  readonly width: number;
  readonly most: number;
}

/** Walks over runs: a number with its lowest bit set says groups of eight values, another how often one value comes. */
function checkRuns(view: DataView, { start, end, width, most }: Runs): void {
  if (width > 32 || end > view.byteLength) throw new Error('runs beyond a page');
  let [at, seen] = [start, 0];
  while (at < end && seen < most) {
    let [header, shift] = [0, 0];
    for (let byte = 0x80; byte >= 0x80; shift += 7) {
      byte = view.getUint8(at++);
      header += (byte & 0x7f) * 2 ** shift;
      if (shift > 28) throw new Error('the length of a run is too long');
    }
    const packed = header % 2 === 1;
    const count = packed ? 8 * Math.floor(header / 2) : header / 2;
    if (count > (packed ? 8 * Math.ceil((most - seen) / 8) : most - seen)) throw new Error(`a run of ${count} values`);
    at += packed ? (count * width) / 8 : Math.ceil(width / 8);
    seen += count;
  }
}

export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
