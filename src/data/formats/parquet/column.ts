import { assembleLists } from 'hyparquet/src/assemble.js';
import { convert, convertWithDictionary } from 'hyparquet/src/convert.js';
import { readDataPage } from 'hyparquet/src/datapage.js';
import { readPlain } from 'hyparquet/src/plain.js';
import { getMaxRepetitionLevel } from 'hyparquet/src/schema.js';
import type { ColumnDecoder, DecodedArray } from 'hyparquet/src/types.js';
import { type Page, type Pieces, pageAt, viewOf } from './page.ts';

/** Where the pages of a column stand in a file. */
export interface Extent {
  readonly start: number;
  readonly end: number;
}

/**
 * The values of a column, one a row, read page by page; for a column inside lists, all that it has of the row, in the
 * nesting of its schema.
 * @throws Error where the pages are damaged, or hold fewer than `rows`
 */
export function* columnValues(file: Pieces, extent: Extent, decoder: ColumnDecoder, rows: number): Generator<unknown> {
  const lists = getMaxRepetitionLevel(decoder.schemaPath) > 0;
  let dictionary: DecodedArray | undefined;
  // A page may go on with the last row of the one before.
  let open: unknown[] = [];
  let given = 0;
  for (let at = extent.start; at < extent.end && given < rows; ) {
    const page = pageAt(file, at, extent.end, decoder);
    at = page.next;
    if (page.dictionary) {
      dictionary = dictionaryOf(page, decoder);
      continue;
    }
    const found = valuesOf(page, decoder, dictionary, lists ? open : []);
    // Some pages hold nothing.
    if (found.length === 0) continue;
    const whole = lists ? found.length - 1 : found.length;
    for (let i = 0; i < whole && given < rows; i++, given++) yield found[i];
    if (lists) open = [found[whole]];
  }
  if (open.length > 0 && given < rows) {
    given++;
    yield open[0];
  }
  if (given < rows) throw new Error(`${decoder.pathInSchema.join('.')} has ${given} values for ${rows} rows`);
}

function dictionaryOf({ body, values }: Page, decoder: ColumnDecoder): DecodedArray {
  const reader = { view: viewOf(body), offset: 0 };
  return convert(readPlain(reader, decoder.type, values, decoder.element.type_length), decoder);
}

function valuesOf(
  { body, values: count, encoding }: Page,
  decoder: ColumnDecoder,
  dictionary: DecodedArray | undefined,
  before: unknown[],
): DecodedArray {
  const header = {
    num_values: count,
    encoding,
    definition_level_encoding: 'RLE',
    repetition_level_encoding: 'RLE',
  } as const;
  const { definitionLevels, repetitionLevels, dataPage } = readDataPage(body, header, decoder);
  const values = convertWithDictionary(dataPage, dictionary, encoding, decoder);
  return assembleLists(before, definitionLevels, repetitionLevels, values, decoder.schemaPath);
}
