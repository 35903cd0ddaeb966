import { expect, test } from 'vitest';
import { talk } from '../../../test/support/data-files.ts';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { readSamples } from './read.ts';

const scratch = scratchFolder();
scratch.write('a.png', 'pixels');
const views = ['chosen', 'rejected'];
const record = {
  id: 'a',
  image: 'a.png',
  conversations: talk('<image>\nWhat is it?', 'A cube.'),
  rejected_conversations: talk('<image>\nWhat is it?', 'A cube and a cup.'),
};

const read = (...rows: readonly unknown[]) => readSamples(scratch.write('povid.json', JSON.stringify(rows)), { views });

test('a record of POVID is two conversations about one image', () => {
  const { samples, format, report } = read(record);
  expect([format, report.rejected]).toEqual(['povid', 0]);
  const { chosen, rejected } = samples[0]?.views ?? {};
  expect([chosen?.id, rejected?.id]).toEqual(['a', 'a']);
  expect(chosen?.media).toEqual([{ kind: 'image', path: scratch.path('a.png') }]);
  expect(rejected?.media).toEqual(chosen?.media);
  expect(chosen?.turns[1]?.parts).toEqual([{ type: 'text', text: 'A cube.' }]);
  expect(rejected?.turns[1]?.parts).toEqual([{ type: 'text', text: 'A cube and a cup.' }]);
  expect(rejected?.turns[0]).toEqual(chosen?.turns[0]);
});

test('what is wrong on either side refuses the row, once', () => {
  const { samples, report } = read(
    record,
    { ...record, rejected_conversations: [] },
    { ...record, rejected_conversations: 'A cup.' },
    { ...record, rejected_conversations: talk('What is it?', 'A cup.') },
    { ...record, rejected_conversations: [{ from: 'robot', value: 'A cup.' }] },
    { ...record, image: 'b.png' },
    { ...record, video: 'a.mp4' },
  );
  expect([samples.length, report.rejected]).toEqual([1, 6]);
  expect(new Set(report.reasons.map(({ code }) => code))).toEqual(
    new Set(['row/schema', 'row/markers', 'row/role', 'row/image-missing', 'row/media']),
  );
});
