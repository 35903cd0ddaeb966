import { afterEach, describe, expect, it, vi } from 'vitest';
import { duration, figure, openBar, progressText } from './progress.ts';
import { sparkline } from './sparkline.ts';
import { table } from './table.ts';
import { wrapLines } from './wrap.ts';

describe('table', () => {
  it('aligns columns, numbers to the right, without spaces at the end', () => {
    const text = table(
      [{ title: 'task' }, { title: 'value', align: 'right' }, { title: 'note' }],
      [
        ['pope random', '0.91', ''],
        ['vqa', '0.7', 'few'],
      ],
    );
    expect(text.split('\n')).toEqual([
      'task         value  note',
      '-----------  -----  ----',
      'pope random   0.91',
      'vqa            0.7  few',
    ]);
  });
});

describe('table in a narrow terminal', () => {
  const columns = [{ title: 'name' }, { title: 'n', align: 'right' as const }, { title: 'meaning' }];

  it('wraps the widest columns between words', () => {
    const text = table(
      columns,
      [
        ['a', '10', 'what joins images to words'],
        ['  b', '2', 'steps'],
      ],
      24,
    );
    expect(text.split('\n')).toEqual([
      'name   n  meaning',
      '----  --  --------------',
      'a     10  what joins',
      '          images to',
      '          words',
      '  b    2  steps',
    ]);
  });

  it('puts columns that find no room into a table below, with the first again', () => {
    const rows = [['pope', '0.912345', '0.811111', '0.999999']];
    const text = table(
      ['task', 'score', 'blind', 'other'].map((title) => ({ title })),
      rows,
      26,
    );
    expect(text.split('\n')).toEqual([
      'task  score     blind',
      '----  --------  --------',
      'pope  0.912345  0.811111',
      '',
      'task  other',
      '----  --------',
      'pope  0.999999',
    ]);
  });

  it('goes by COLUMNS, or 80, where the output is no terminal', () => {
    const wide = [['a', `${'word '.repeat(30)}end`]];
    const longest = () =>
      Math.max(
        ...table([{ title: 'n' }, { title: 'meaning' }], wide)
          .split('\n')
          .map((l) => l.length),
      );
    vi.stubEnv('COLUMNS', '40');
    expect(longest()).toBeLessThanOrEqual(40);
    vi.stubEnv('COLUMNS', '');
    expect(longest()).toBeLessThanOrEqual(80);
    expect(longest()).toBeGreaterThan(70);
    vi.unstubAllEnvs();
  });

  it('never breaks a word', () => {
    expect(table(columns, [['a', '1', 'folder/of/a/run is here']], 10)).toContain('a     1  folder/of/a/run\n');
  });
});

describe('sparkline', () => {
  it.each([
    [[1, 2, 3], 3, '▁▅█'],
    [[1, 1, 3, 3, 2, 2], 3, '▁█▅'],
    [[9, -9], 5, '█▁'],
    [[], 5, ''],
  ])('draws %j in %d columns', (values, width, expected) => {
    expect(sparkline(values, width, [1, 3])).toBe(expected);
  });

  it('draws a level line when there is no range', () => expect(sparkline([2, 2], 4, [2, 2])).toBe('▁▁'));
});

describe('wrapLines', () => {
  it('wraps between words, below where the text began', () => {
    const fault = 'error: the loss is no number [train/not-finite]\n  remedy:   lower train.lr or train.clip';
    expect(wrapLines(fault, 30).split('\n')).toEqual([
      'error: the loss is no number',
      '[train/not-finite]',
      '  remedy:   lower train.lr or',
      '            train.clip',
    ]);
    expect(wrapLines(`    ${'a'.repeat(40)} b`, 20)).toBe(`    ${'a'.repeat(40)}\n    b`);
  });
});

describe('a terminal that knows plain characters alone', () => {
  afterEach(() => void vi.unstubAllEnvs());

  it('gets no codes and no blocks', () => {
    vi.stubEnv('TERM', 'dumb');
    const written: string[] = [];
    const bar = openBar({ isTTY: true, columns: 80, write: (text) => written.push(text) }, false, () => 0);
    for (const done of [1, 2]) bar.show({ label: 'x', done, total: 2, numbers: {} });
    bar.note('halfway');
    bar.close();
    expect(`${written.join('')}${sparkline([1, 2, 3], 3, [1, 3])}`).toMatch(/^[\n -~]+$/);
    expect(sparkline([1, 3], 2, [1, 3])).toBe('_#');
  });
});

describe('progressText', () => {
  it('leaves out whole what does not fit', () => {
    const progress = {
      label: 'stage align',
      done: 120,
      total: 300,
      numbers: { loss: 2.31415, lr: 2e-5, grad_norm: 2.5 },
    };
    expect(progressText(progress, 20, 2, 70)).toBe(
      'stage align  120/300 steps  10/s  ETA 0:18  loss 2.314  lr 2.00e-5',
    );
    expect(progressText(progress, 20, 2, 60)).toBe('stage align  120/300 steps  10/s  ETA 0:18  loss 2.314');
  });

  it('counts the rate from where it began, so that a resumed run has a true ETA', () => {
    const progress = { label: 'stage align', done: 120, total: 300, numbers: { loss: 2.31415, lr: 2e-5 } };
    expect(progressText(progress, 20, 2)).toBe('stage align  120/300 steps  10/s  ETA 0:18  loss 2.314  lr 2.00e-5');
    expect(progressText({ ...progress, done: 101 }, 1, 4)).toContain('4.0 s each  ETA 13:16');
    expect(progressText({ ...progress, done: 100 }, 0, 0)).toBe('stage align  100/300 steps  loss 2.314  lr 2.00e-5');
  });

  it.each([
    [1487, '1500/s'],
    [2.3, '2.3/s'],
    [9.97, '10/s'],
    [9960, '10k/s'],
    [12_300, '12k/s'],
    [0.004, '250 s each'],
  ])('writes a rate of %d', (rate, text) => {
    const parts = progressText({ label: 'x', done: 1, total: 9, numbers: {} }, rate, 1).split('  ');
    expect(parts[2]).toBe(text);
  });

  it.each([
    [0, '0:00'],
    [61.4, '1:01'],
    [3671, '1:01:11'],
  ])('writes %d seconds', (seconds, text) => expect(duration(seconds)).toBe(text));

  it.each([
    [3, '3'],
    [0.123456, '0.1235'],
    [0.00002, '2.00e-5'],
    [12345678, '1.23e+7'],
    [Number.NaN, 'NaN'],
  ])('writes %d', (value, text) => expect(figure(value)).toBe(text));
});

describe('openBar', () => {
  const step = (done: number) => ({ label: 'x', done, total: 100, numbers: {} });
  function run(isTTY: boolean, quiet = false) {
    let time = 0;
    const written: string[] = [];
    const bar = openBar({ isTTY, columns: 60, write: (text) => written.push(text) }, quiet, () => time);
    for (let done = 1; done <= 100; done++) {
      bar.show(step(done));
      if (done === 50) bar.note('halfway');
      time += 120;
    }
    bar.close();
    return written;
  }

  it('writes a plain line every few seconds, the first and the last', () => {
    const lines = run(false).filter((text) => text !== 'halfway\n');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toContain('1/100');
    expect(lines.at(-1)).toMatch(/^x {2}100\/100 steps {2}8\.3\/s {2}in 0:12\n$/);
    expect(lines.join('')).not.toContain('\u001b');
  });

  it('redraws one line on a terminal, wipes it for notes and ends with a new line', () => {
    const written = run(true);
    const note = written.indexOf('halfway\n');
    expect(written[note - 1]).toBe('\r\u001b[2K');
    expect(written.every((text) => !text.includes('\n') || text === 'halfway\n' || text === written.at(-1))).toBe(true);
    expect(Math.max(...written.map((text) => text.length))).toBeLessThanOrEqual(60);
  });

  it('shows the end once, until the same work begins anew', () => {
    const written: string[] = [];
    const bar = openBar({ write: (text) => written.push(text) }, false, () => 0);
    for (const done of [1, 100, 100, 100, 1, 100]) bar.show(step(done));
    expect(written.map((line) => line.trim())).toEqual([
      'x  1/100 steps',
      'x  100/100 steps',
      'x  1/100 steps',
      'x  100/100 steps',
    ]);
  });

  it('is silent when quiet', () => expect(run(true, true)).toEqual([]));
});
