import { describe, expect, it } from 'vitest';
import { dataFiles } from '../../../test/support/data-files.ts';
import { faultOf } from '../../../test/support/faults.ts';

const { read, refusals, shown } = dataFiles();

describe('plain text files', () => {
  it('are read a text a line, whatever the lines look like', () => {
    const { rows, format } = read('poem.txt', '{\r\n\n a red\u2028ball \n');
    expect(format).toBe('text');
    expect(rows.map(({ where, turns }) => [where, turns])).toEqual(
      [
        ['poem.txt line 1', '{'],
        ['poem.txt line 3', ' a red\u2028ball '],
      ].map(([where, text]) => [where, [{ role: 'assistant', parts: [{ type: 'text', text }] }]]),
    );
  });

  it('must be UTF-8', () => {
    expect(refusals('latin.txt', Buffer.from('caf\xe9\ntea\n', 'latin1'))).toMatchObject([
      { code: 'row/encoding', path: 'latin.txt line 1' },
    ]);
    expect(faultOf(() => read('blank.txt', ' \n\n')).code).toBe('data/empty');
  });
});

describe('plain text', () => {
  it('is one turn to be learned', () => {
    const { rows, format } = read('t.jsonl', '{"text": "A red cube."}\n');
    expect(format).toBe('text');
    expect(rows[0]?.turns).toEqual([{ role: 'assistant', parts: [{ type: 'text', text: 'A red cube.' }] }]);
  });

  it('refuses empty and broken lines', () => {
    expect(shown(refusals('t.jsonl', '{"text": "ok"}\n{"text": ""}\n{"text": 5}\n{"text"\n'))).toMatchInlineSnapshot(`
      "the text is empty [row/empty-turn]
        path:     t.jsonl line 2
      text has a wrong value [row/schema]
        path:     t.jsonl line 3
        expected: string
        got:      5
      the JSON object is malformed [row/json]
        path:     t.jsonl line 4
        expected: a colon after the key
        got:      the end of the text"
    `);
  });
});
