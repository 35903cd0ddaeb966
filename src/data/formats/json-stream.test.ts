import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { faultOf } from '../../../test/support/faults.ts';
import { scratchFolder } from '../../../test/support/scratch-folder.ts';
import { jsonLines } from './json-lines.ts';
import { jsonItems, sectionItems } from './json-stream.ts';

const folder = scratchFolder();

function itemsOf(text: string | Uint8Array) {
  return [...jsonItems(folder.write('doc.json', text))];
}

const fault = (text: string | Uint8Array) => faultOf(() => itemsOf(text));

describe('jsonItems', () => {
  it('gives what JSON.parse gives, element by element', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.nat(4), (values, indent) => {
        expect(itemsOf(JSON.stringify(values, null, indent)).map((item) => item.value)).toEqual(
          JSON.parse(JSON.stringify(values)),
        );
      }),
      { numRuns: 100, seed: 3 },
    );
  });

  it('gives the arrays of an object under their names, and other values whole', () => {
    expect(itemsOf('{"a": [1, "]"], "b": {"c": [2]}, "d": [], "e": [[3]]}')).toEqual([
      { section: 'a', index: 0, value: 1 },
      { section: 'a', index: 1, value: ']' },
      { section: 'b', index: undefined, value: { c: [2] } },
      { section: 'e', index: 0, value: [3] },
    ]);
    expect(itemsOf(' [] ')).toEqual([]);
    expect(itemsOf('{}')).toEqual([]);
  });

  it('reads values that lie across the reading buffer, after a byte order mark', () => {
    const values = Array.from({ length: 40 }, (_, i) => ({ i, text: `${'ä\\"€'.repeat(9000 + i)}` }));
    expect(itemsOf(`\ufeff${JSON.stringify(values)}`).map((item) => item.value)).toEqual(values);
  });

  it('passes over arrays that are not wanted', () => {
    const path = folder.write('doc.json', '{"big": [{"x": [1, 2]}, nonsense], "small": [7]}');
    expect([...sectionItems(path, 'small')]).toEqual([{ index: 0, value: 7 }]);
    expect(() => [...sectionItems(path, 'none')]).toThrow('holds no none');
  });

  it('names the line of a fault', () => {
    const error = fault('[\n  {"a": 1},\n  {"a": nope}\n]');
    expect(error).toMatchObject({ code: 'data/syntax', expected: 'a JSON value' });
    expect(error.path).toMatch(/doc\.json line 3$/);
  });

  it('refuses what is no whole document', () => {
    for (const text of [
      '[1, 2',
      '["a',
      '{"a": [1}',
      '[1] 2',
      '[1,]',
      '[,1]',
      '{"a" 1}',
      '{a: 1}',
      '7',
      '',
      '[1 2]',
      '{"a":1,}',
    ]) {
      expect(fault(text).code, text).toBe('data/syntax');
    }
    const latin = fault(Uint8Array.of(0x5b, 0x22, 0xff, 0x22, 0x5d));
    expect(latin).toMatchObject({ expected: 'UTF-8 text', remedy: 'save it as UTF-8' });
    const utf16 = fault(Buffer.from('\ufeff[{"a": 1}]', 'utf16le'));
    expect(utf16).toMatchObject({ code: 'data/encoding', remedy: 'save it as UTF-8' });
    expect(fault('[{"a": 1, "a": 2}]').remedy).toBe('keep one of the two');
    expect(() => [...jsonItems(folder.path('absent.json'))]).toThrow('there is no such data file');
  });
});

describe('jsonLines', () => {
  it('reads a value a line and refuses broken lines alone', () => {
    const text = Buffer.concat([
      Buffer.from('{"a": 1}\r\n\n{"a": "x\u2028y"}\n{"a": \n'),
      Buffer.of(0xff, 0x0a),
      Buffer.from('2'),
    ]);
    const got = [...jsonLines(folder.write('rows.jsonl', text), 'rows.jsonl')];
    expect(got).toMatchInlineSnapshot(`
      [
        {
          "kept": {
            "value": {
              "a": 1,
            },
            "where": "rows.jsonl line 1",
          },
        },
        {
          "kept": {
            "value": {
              "a": "x y",
            },
            "where": "rows.jsonl line 3",
          },
        },
        {
          "refused": {
            "code": "row/json",
            "expected": "a value",
            "got": "the end of the text",
            "message": "the JSON is malformed",
            "path": "rows.jsonl line 4",
          },
        },
        {
          "refused": {
            "code": "row/encoding",
            "message": "the line is no UTF-8 text",
            "path": "rows.jsonl line 5",
          },
        },
        {
          "kept": {
            "value": 2,
            "where": "rows.jsonl line 6",
          },
        },
      ]
    `);
  });
});

describe('hostile records', () => {
  it('deep nesting, keys given twice and numbers beyond float64 are refused, file or line', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    for (const record of [deep, '{"a": 1, "a": 2}', '{"a": 1e999}', '{"a": "\\ud800"}']) {
      expect(fault(`[${record}]`).code).toBe('data/syntax');
      const [line] = [...jsonLines(folder.write('h.jsonl', `${record}\n`), 'h.jsonl')];
      expect(line).toMatchObject({ refused: { path: 'h.jsonl line 1' } });
    }
    expect(fault('{"a": [1], "b": [], "a": [2]}')).toMatchObject({ code: 'data/syntax', got: '"a"' });
  });

  it('a line too long for a record is passed over, and not kept', () => {
    const path = folder.write('long.jsonl', Buffer.concat([Buffer.alloc(66 << 20, 'x'), Buffer.from('\n{"a": 1}\n')]));
    const before = process.memoryUsage().rss;
    const outcomes = [...jsonLines(path, 'long.jsonl')];
    expect(process.memoryUsage().rss - before).toBeLessThan(200 << 20);
    expect(outcomes).toMatchObject([{ refused: { code: 'row/too-large' } }, { kept: { value: { a: 1 } } }]);
  });
});
