import { describe, expect, it } from 'vitest';
import { faultOf } from '../../test/support/faults.ts';
import { DataReport } from './report.ts';

const fault = (i: number, code = 'row/markers') => ({
  code,
  message: '2 images, 1 marker',
  path: `train.json row ${i}`,
});

function filled(kept: number, rejected: number): DataReport {
  const report = new DataReport();
  for (let i = 0; i < kept; i++) report.keep('train.json', 'llava');
  for (let i = 0; i < rejected; i++) report.reject('train.json', 'llava', fault(i + 1));
  return report;
}

describe('DataReport', () => {
  it('counts all and keeps the first few examples', () => {
    const report = filled(95, 5);
    report.reject('more.jsonl', 'text', fault(9, 'row/json'));
    expect(report.format()).toMatchInlineSnapshot(`
      "train.json (llava): 95 rows kept, 5 refused
      more.jsonl (text): 0 rows kept, 1 refused
      row/markers: 5 refused
        2 images, 1 marker [row/markers]
          path:     train.json row 1
        2 images, 1 marker [row/markers]
          path:     train.json row 2
        2 images, 1 marker [row/markers]
          path:     train.json row 3
        and 2 more
      row/json: 1 refused
        2 images, 1 marker [row/json]
          path:     train.json row 9"
    `);
    expect(report.toJSON()).toMatchObject({ kept: 95, rejected: 6 });
    expect(JSON.parse(JSON.stringify(report)).reasons[0]).toMatchObject({ code: 'row/markers', count: 5 });
  });

  it('says how many rows are used where that is fewer than were kept', () => {
    const stage = filled(10, 0);
    const all = filled(5, 1);
    all.merge(stage);
    all.use('train.json', 'llava', { kept: 10, used: 4 });
    expect(all.sources).toEqual([{ file: 'train.json', format: 'llava', kept: 15, rejected: 1, used: 9 }]);
    expect(all.format()).toContain('15 rows kept, 9 of them used, 1 refused');
    // A later stage, all of whose rows are used.
    all.merge(filled(2, 0));
    expect(DataReport.from(all.toJSON()).sources[0]).toMatchObject({ kept: 17, used: 11 });
    expect(filled(2, 0).sources[0]).not.toHaveProperty('used');
  });

  it('merges and takes rows back', () => {
    const report = filled(3, 2);
    report.merge(filled(1, 4));
    report.withdraw('train.json', 'llava', fault(8, 'row/too-long'));
    expect(report.sources).toEqual([{ file: 'train.json', format: 'llava', kept: 3, rejected: 7 }]);
    expect(report.reasons.map(({ code, count, examples }) => [code, count, examples.length])).toEqual([
      ['row/markers', 6, 3],
      ['row/too-long', 1, 1],
    ]);
  });

  it('collects a stream, and knows a file without rows', () => {
    const report = new DataReport();
    expect(report.collect('t.jsonl', 'text', [{ kept: 'a' }, { refused: fault(2) }, { kept: 'b' }])).toEqual([
      'a',
      'b',
    ]);
    expect(report.collect('empty.jsonl', 'text', [])).toEqual([]);
    expect(report.sources.map(({ kept, rejected }) => [kept, rejected])).toEqual([
      [2, 1],
      [0, 0],
    ]);
  });

  it('stops a run above the share allowed, with an example for each reason', () => {
    filled(95, 5).check();
    filled(1, 1).check(0.5);
    const error = faultOf(() => filled(94, 6).check());
    expect(error.toJSON()).toMatchInlineSnapshot(`
      {
        "code": "data/too-many-rejected",
        "expected": "at most 5% refused",
        "got": "6 of 100 rows refused (6%)",
        "message": "too many rows of the data were refused",
        "others": [
          {
            "code": "row/markers",
            "message": "2 images, 1 marker",
            "path": "train.json row 1",
          },
        ],
        "path": "train.json",
        "remedy": "mend the rows named below, or take them out of the data",
      }
    `);
    expect(faultOf(() => filled(0, 3).check(1)).code).toBe('data/no-rows');
    expect(faultOf(() => new DataReport().check()).code).toBe('data/no-rows');
  });
});
