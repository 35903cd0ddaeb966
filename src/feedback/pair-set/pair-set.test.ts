import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codesOf, faultOf } from '../../../test/support/faults.ts';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { type ImageMedia, type Row, readSamples } from '../../data/index.ts';
import { beginPairSet, openPairSet, reportOf } from './pair-set.ts';
import type { QuestionRecord } from './record.ts';
import { reportText } from './report-text.ts';

const root = scratchFolder();
const settings = { builder: 'corrected-spans', seed: 0 };
const ids = ['1', '2', '3', '4', '5'];
const told = {
  builder: 'corrected-spans',
  judge: 'scene oracle',
  model: 'model',
  rows: { read: 5, asked: 5, reasons: [] },
};

const truth = (wrong: number) => ({ statements: 4, false: wrong, covered: 1, objects: 2, sentences: 2, unread: 0 });

/** The even ones are pairs. */
function record(id: string): QuestionRecord {
  const pair = { id: `${id}-1`, of: [0], chosen: 'A red ball “ü”.', rejected: 'A blue ball and a cup.' };
  const refused = { code: 'feedback/nothing-wrong', message: 'nothing is wrong' };
  const even = Number(id) % 2 === 0;
  return {
    id,
    image: `${id}.png`,
    question: 'What is there?',
    answers: [{ text: 'A blue ball and a cup.', finding: [], truth: truth(2) }],
    candidates: [even ? { pair, truth: { chosen: truth(0), rejected: truth(2) } } : { refused }],
  };
}

/** The same with the places of what differs; the odd ones are right as they are, unless there are to be none. */
function phrased(id: string, right = true): QuestionRecord {
  const { candidates, ...rest } = record(id);
  const phrases = [{ chosen: [2, 5], rejected: [2, 6] }] as const;
  return {
    ...rest,
    candidates: candidates.map((one) => ('pair' in one ? { ...one, pair: { ...one.pair, phrases } } : one)),
    ...(right && { right: Number(id) % 2 === 0 ? [] : [0] }),
  };
}

const image = root.path('image.png');
writeFileSync(image, 'pixels');
const imagesOf = (of: readonly string[]) => new Map(of.map((id) => [`${id}.png`, image]));
const fill = (folder: string) => {
  const set = beginPairSet(folder, settings);
  const open = openPairSet(set, ids, 2);
  while (open.done < ids.length) {
    const group = ids.slice(open.done, open.done + 2);
    open.add(group.map(record), imagesOf(group));
  }
  open.finish(told);
  return set;
};

describe('a pair set of phrases', () => {
  const rows = (name: string, right: boolean) => {
    const set = beginPairSet(root.path(name), settings);
    const open = openPairSet(set, ids, 5);
    open.add(
      ids.map((id) => phrased(id, right)),
      imagesOf(ids),
    );
    open.finish(told);
    return readSamples(set.pairs, { views: ['chosen', 'rejected', 'reference'] });
  };
  const shown = (row: Row | undefined) => basename((row?.media[0] as ImageMedia | undefined)?.path ?? '');

  it('keeps right answers as they are beside its pairs', () => {
    const { samples, format, report } = rows('phrases', true);
    expect([format, samples.length, report.rejected]).toEqual(['phrase-pairs', 2, 0]);
    const [first, second] = samples.map(({ views }) => views);
    expect(first?.chosen?.phrases).toEqual([[2, 5]]);
    expect(first?.rejected?.phrases).toEqual([[2, 6]]);
    expect([first, second].map((views) => [shown(views?.chosen), shown(views?.reference)])).toEqual([
      ['2.png', '1.png'],
      ['4.png', '3.png'],
    ]);
  });

  it('takes the right side of another pair where no answer is right', () => {
    const { samples } = rows('no-right', false);
    expect(samples.map(({ views }) => [shown(views.chosen), shown(views.reference)])).toEqual([
      ['2.png', '4.png'],
      ['4.png', '2.png'],
    ]);
  });
});

describe('a pair set', () => {
  it('holds rows that training reads, their images and a report in which every candidate stands once', () => {
    const set = fill(root.path('whole'));
    const { samples, format, report: read } = readSamples(set.pairs, { views: ['chosen', 'rejected'] });
    expect([format, samples.length, read.rejected]).toEqual(['preference', 2, 0]);
    expect(samples[0]?.views.chosen?.turns.at(-1)?.parts).toEqual([{ type: 'text', text: 'A red ball “ü”.' }]);
    expect(samples[0]?.views.rejected?.media).toEqual([{ kind: 'image', path: join(set.images, '2.png') }]);
    const report = reportOf(set);
    expect(report).toMatchObject({
      candidates: 5,
      pairs: 2,
      rejects: [{ code: 'feedback/nothing-wrong', count: 3 }],
      answers: { texts: 5, words: 6, falseStatements: 2, withFalse: 1, coverage: 0.5 },
      chosen: { texts: 2, words: 4, falseStatements: 0, withFalse: 0 },
      rejected: { texts: 2, words: 6, falseStatements: 2, withFalse: 1 },
      chosenLonger: 0,
      order: { right: 1, even: 0, wrong: 0 },
    });
    expect(readFileSync(set.text, 'utf8')).toBe(reportText(report as NonNullable<typeof report>));
    expect(readFileSync(set.text, 'utf8')).toContain('| false statements a text | 2.00 | 0.00 | 2.00 |');
  });

  it('goes on behind its last whole group, wherever a process died', () => {
    const whole = readFileSync(fill(root.path('straight')).answers);
    const first = Buffer.byteLength(`${JSON.stringify(record('1'))}\n${JSON.stringify(record('2'))}\n`);
    for (const bytes of [0, 1, first - 1, first, first + 7, 2 * first - 20, 2 * first, whole.length - 1]) {
      const folder = root.path(`cut-${bytes}`);
      const set = beginPairSet(folder, settings);
      writeFileSync(set.answers, whole.subarray(0, bytes));
      expect(openPairSet(set, ids, 2).done).toBe(2 * Math.floor(bytes / first));
      fill(folder);
      for (const file of ['pairs', 'answers', 'report', 'text'] as const) {
        const straight = readFileSync(beginPairSet(root.path('straight'), settings)[file], 'utf8');
        expect(readFileSync(set[file], 'utf8'), `${file} after ${bytes} bytes`).toBe(straight);
      }
    }
  });

  it('writes nothing into a folder that holds anything else', () => {
    for (const [name, file] of [
      ['notes', 'notes.txt'],
      ['rows', 'pairs.jsonl'],
      ['made', 'feedback/report.json'],
    ] as const) {
      const folder = root.path(name);
      mkdirSync(join(folder, 'feedback'), { recursive: true });
      writeFileSync(join(folder, file), 'mine');
      expect(codesOf(() => beginPairSet(folder, settings))).toEqual(['feedback/folder-taken']);
      expect(readFileSync(join(folder, file), 'utf8')).toBe('mine');
      expect(existsSync(join(folder, 'feedback/settings.json'))).toBe(false);
    }
    const file = root.path('file');
    writeFileSync(file, 'mine');
    expect(codesOf(() => beginPairSet(file, settings))).toEqual(['feedback/folder']);
  });

  it('refuses other settings, and answers to other questions', () => {
    const folder = root.path('others');
    const set = fill(folder);
    expect(codesOf(() => beginPairSet(folder, { ...settings, seed: 1 }))).toEqual(['feedback/other-settings']);
    const more = { builder: 'corrected-spans', data: [{ task: 'captions' }], seed: 0 };
    expect(faultOf(() => beginPairSet(folder, more))).toMatchObject({
      expected: 'data.0.task "captions"',
      got: 'no data.0.task',
    });
    expect(codesOf(() => openPairSet(set, ['1', '2', '9', '4', '5'], 2))).toEqual(['feedback/damaged']);
    expect(codesOf(() => openPairSet(set, ids.slice(0, 3), 2))).toEqual(['feedback/damaged']);
    appendFileSync(set.answers, 'null\n');
    expect(codesOf(() => openPairSet(set, ids, 2))).toEqual(['feedback/damaged']);
  });

  it('never replaces an image', () => {
    const set = beginPairSet(root.path('images'), settings);
    const open = openPairSet(set, ids, 2);
    writeFileSync(join(set.images, '1.png'), 'mine');
    expect(codesOf(() => open.add(['1', '2'].map(record), imagesOf(['1', '2'])))).toEqual(['feedback/image-differs']);
    expect(readFileSync(join(set.images, '1.png'), 'utf8')).toBe('mine');
    expect(readdirSync(set.images)).toEqual(['1.png']);
    expect(readFileSync(set.answers, 'utf8')).toBe('');
  });
});
