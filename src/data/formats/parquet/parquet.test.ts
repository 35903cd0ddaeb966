import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { faultOf } from '../../../../test/support/faults.ts';
import { fixture } from '../../../../test/support/fixtures.ts';
import { scratchFolder } from '../../../../test/support/scratch-folder.ts';
import { parquetRecords } from './records.ts';
import { parquetRows } from './rows.ts';

const scratch = scratchFolder();
const file = (name: string) => join(fixture('parquet'), name);
const expected = (name: string) => JSON.parse(readFileSync(file(name), 'utf8')) as unknown[];

/** Rows with bytes in base64, as pyarrow's are kept. */
const rowsOf = (path: string) =>
  [...parquetRecords(path, (bytes) => Buffer.from(bytes).toString('base64'))].map((one) =>
    'kept' in one ? one.kept.value : one.refused.code,
  );

describe('a Parquet file', () => {
  it.each(['none', 'snappy', 'gzip', 'brotli', 'v2'])('has the rows that pyarrow wrote: %s', (packed) => {
    const rows = rowsOf(file(`many-${packed}.parquet`));
    expect(rows).toHaveLength(90);
    expect(rows).toEqual(expected('many.json'));
  });

  it('names its rows', () => {
    const [first, second] = [...parquetRecords(file('rlaif-v.parquet'), () => '')];
    expect([first, second]).toMatchObject([
      { kept: { where: 'rlaif-v.parquet row 1' } },
      { kept: { where: 'rlaif-v.parquet row 2' } },
    ]);
  });

  it('is refused by the name of what packs its pages', () => {
    expect(faultOf(() => [...parquetRows(file('zstd.parquet'))])).toMatchObject({
      code: 'data/parquet',
      got: 'pages packed by ZSTD',
      remedy: expect.stringMatching(/write_table\(p\.read_table\('.*zstd\.parquet'\).*snappy/),
    });
  });

  it('is refused when it is cut off anywhere, with the rows before the cut at most', () => {
    const whole = readFileSync(file('many-snappy.parquet'));
    for (let length = 0; length < whole.length; length += 997) {
      const path = scratch.path('cut.parquet');
      writeFileSync(path, whole.subarray(0, length));
      expect(faultOf(() => [...parquetRows(path)]).code).toBe('data/parquet');
    }
  });

  it('says plainly that it is cut off, or that its end fits nothing', () => {
    const whole = readFileSync(file('many-snappy.parquet'));
    const got = (bytes: Uint8Array) => {
      const path = scratch.path('end.parquet');
      writeFileSync(path, bytes);
      return faultOf(() => [...parquetRows(path)]).got;
    };
    expect(got(whole.subarray(0, 3000))).toBe(
      'a file of 3000 bytes without its end: it is cut off, or was never closed',
    );
    expect(got(whole.subarray(0, 6))).toContain('without its end');
    const end = Buffer.from(whole);
    end.writeUInt32LE(whole.length, whole.length - 8);
    expect(got(end)).toBe(
      `an end that says its list of columns takes ${whole.length} bytes, in a file of ${whole.length} bytes`,
    );
  });

  it('refuses a row whose text is no UTF-8, and reads the others', () => {
    const bytes = readFileSync(file('rlaif-v.parquet'));
    const at = bytes.indexOf('A blue cube.');
    bytes[at + 2] = 0xff;
    const path = scratch.path('bytes.parquet');
    writeFileSync(path, bytes);
    const kinds = [...parquetRecords(path, () => '')].map((one) => ('kept' in one ? 'kept' : one.refused.code));
    expect(kinds).toEqual(['kept', 'kept', 'row/encoding']);
  });

  it('asks for no more room than its pages can fill', () => {
    const bytes = readFileSync(file('many-snappy.parquet'));
    // The header of the first page: its type, then what it holds and what it takes.
    expect([...bytes.subarray(4, 6)]).toEqual([0x15, 0x04]);
    const path = scratch.path('room.parquet');
    writeFileSync(
      path,
      Buffer.concat([bytes.subarray(0, 6), Buffer.from([0x15, 0xfe, 0xff, 0xff, 0xff, 0x07]), bytes.subarray(8)]),
    );
    expect(faultOf(() => [...parquetRows(path)]).code).toBe('data/parquet');
  });
});
