import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { faultOf, rejectionOf } from '../../../../test/support/faults.ts';
import { fixture } from '../../../../test/support/fixtures.ts';
import { scratchFolder } from '../../../../test/support/scratch-folder.ts';
import { mediaLoader } from '../../media-loader.ts';
import type { ImageMedia } from '../../row.ts';
import { dataFile, isDataThere } from '../data-file.ts';
import { readSamples } from '../read.ts';
import { readUsableSamples } from '../usable.ts';
import { partsOf } from './parts.ts';

const scratch = scratchFolder();
const views = ['chosen', 'rejected'];

/** A folder of copies of a fixture. */
function folderOf(name: string, files: readonly string[], from = 'rlaif-v'): string {
  const folder = scratch.path(name);
  mkdirSync(folder, { recursive: true });
  for (const file of files) copyFileSync(join(fixture('parquet'), `${from}.parquet`), join(folder, file));
  return folder;
}

describe('a Parquet set in several parts', () => {
  it.each([
    [
      'as the hub names them',
      ['train-00001-of-00002.parquet', 'train-00000-of-00002.parquet'],
      'train-*-of-00002.parquet',
    ],
    ['numbered alone', ['0001.parquet', '0000.parquet'], '*.parquet'],
    ['with an id that differs', ['train-1-of-2.parquet', 'train-2-of-2.parquet'], 'train-*-of-2.parquet'],
  ])('is one source, its parts in the order of their numbers: %s', (name, files, pattern) => {
    const folder = folderOf(name, files);
    const path = dataFile(folder);
    expect(path).toBe(join(folder, pattern));
    expect(isDataThere(path)).toBe(true);
    const { samples, format } = readSamples(path, { views });
    expect(format).toBe('rlaif-v');
    expect(samples.map((sample) => sample.views.chosen?.where)).toEqual(
      [...files].sort().flatMap((file) => [1, 2].map((row) => `${file} row ${row}`)),
    );
  });

  it('counts ten after nine', () => {
    const folder = folderOf('ten', ['part-10.parquet', 'part-9.parquet', 'part-2.parquet']);
    expect(partsOf(dataFile(folder)).map((path) => path.slice(folder.length + 1))).toEqual([
      'part-2.parquet',
      'part-9.parquet',
      'part-10.parquet',
    ]);
  });

  it('is refused where a part is missing, and not by one that is named alone', () => {
    const folder = folderOf('gap', ['train-00000-of-00003.parquet', 'train-00002-of-00003.parquet']);
    expect(faultOf(() => readSamples(dataFile(folder), { views }))).toMatchObject({
      code: 'data/parts',
      expected: '3 files train-*-of-00003.parquet',
      remedy: expect.stringContaining(join(folder, 'train-00000-of-00003.parquet')),
    });
    expect(readSamples(join(folder, 'train-00002-of-00003.parquet'), { views }).samples).toHaveLength(2);
    const lone = folderOf('lone', ['train-00000-of-00002.parquet']);
    expect(faultOf(() => readSamples(dataFile(lone), { views })).code).toBe('data/parts');
  });

  it('is chosen by its pattern where a folder has several, which the remedy spells', () => {
    const names = ['test-00000-of-00001', 'train-00000-of-00002', 'train-00001-of-00002'];
    const folder = folderOf(
      'splits',
      names.map((name) => `${name}.parquet`),
    );
    expect(faultOf(() => dataFile(folder))).toMatchObject({
      code: 'data/file',
      got: 'a folder with test-00000-of-00001.parquet, train-*-of-00002.parquet',
      remedy: `name the file: ${join(folder, 'test-00000-of-00001.parquet')}; several are a source each, data.0, data.1, …`,
    });
    expect(readSamples(join(folder, 'train-*.parquet'), { views }).samples).toHaveLength(4);
    expect(faultOf(() => readSamples(join(folder, 'val-*.parquet'), { views })).code).toBe('data/file');
  });

  it('is found by the folder that a download has it in', () => {
    folderOf('set/data', ['0.parquet', '1.parquet']);
    expect(faultOf(() => dataFile(scratch.path('set'))).remedy).toBe(
      `name the folder of the files: ${scratch.path('set/data')}`,
    );
  });
});

describe('what is wrong in a Parquet file', () => {
  it('is told by its row where an image is damaged, when rows are read and when they are trained on', async () => {
    const path = join(folderOf('damaged', ['rows.parquet'], 'rlhf-v'), 'rows.parquet');
    const unpacked = scratch.path('unpacked');
    const { report, samples } = await readUsableSamples(path, { views, unpacked });
    const broken = report.reasons.flatMap(({ code, examples }) => (code.startsWith('image/') ? examples : []));
    expect(broken.map((fault) => fault.path)).toEqual(['rows.parquet row 5']);
    const media = samples[0]?.views.chosen?.media[0] as ImageMedia;
    for (const name of readdirSync(unpacked, { recursive: true, withFileTypes: true })) {
      if (name.isFile()) writeFileSync(join(name.parentPath, name.name), 'spoilt');
    }
    const plan = { read: () => ({}) } as never;
    const fault = await rejectionOf(mediaLoader().load([{ media, plan }]));
    expect(fault).toMatchObject({ code: 'image/format', path: 'rows.parquet row 1' });
  });

  it('is told with its columns where rows are no pairs, or pairs where one answer is read', () => {
    const pairs = join(folderOf('pairs', ['rows.parquet']), 'rows.parquet');
    const [refused] = readSamples(pairs, { views: ['row'] }).report.reasons.flatMap(({ examples }) => examples);
    expect(refused?.got).toMatch(/^rows with ds_name, .*chosen, rejected$/);
    const one = scratch.write(
      'one.json',
      JSON.stringify([
        {
          messages: [
            { role: 'user', content: 'Q' },
            { role: 'assistant', content: 'A' },
          ],
        },
      ]),
    );
    const [single] = readSamples(one, { views }).report.reasons.flatMap(({ examples }) => examples);
    expect(single).toMatchObject({ code: 'row/views', got: 'rows with messages' });
    expect(single?.message).toBe('the objective reads chosen and rejected, and the row has one conversation');
  });
});
