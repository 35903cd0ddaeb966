import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TesseraError } from '../base/index.ts';
import type { JsonObject } from './json.ts';
import { parseJson } from './json.ts';
import { formatJson } from './json-write.ts';

const source = { file: 'x.json', area: 'test' };

test('agrees with JSON.parse on every valid document', () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(4), (text, indent) => {
      const spaced = JSON.stringify(JSON.parse(text), null, indent);
      expect(parseJson(spaced, source)).toEqual(JSON.parse(text));
    }),
    { numRuns: 300, seed: 1 },
  );
});

test('accepts no more than JSON.parse does', () => {
  const letter = fc.constantFrom(...'{}[]",:019-eE.+\\u tfn\n'.split(''), 'true', 'null', '"a"');
  fc.assert(
    fc.property(fc.array(letter, { maxLength: 8 }), (letters) => {
      const text = letters.join('');
      try {
        expect(parseJson(text, source)).toEqual(JSON.parse(text));
      } catch (error) {
        expect(error).toBeInstanceOf(TesseraError);
      }
    }),
    { numRuns: 5000, seed: 2 },
  );
});

test('says where', () => {
  const at = (text: string) => {
    try {
      parseJson(text, source);
    } catch (error) {
      return `${(error as TesseraError).code} ${(error as TesseraError).path}`;
    }
    return 'fine';
  };
  expect(at('{\n  "a": 1,\n  "b": tru\n}')).toBe('test/json x.json:3:8');
  expect(at('{\n  "a": 1,\n  "a": 2\n}')).toBe('test/duplicate-key x.json:3:3');
  expect(at('{"a" 1}')).toBe('test/json x.json:1:6');
  expect(at('')).toBe('test/json x.json:1:1');
  expect(at('["\\ud83d\\ude00", -1.5e+3, {}]')).toBe('fine');
  expect(at('["\\ud83d"]')).toBe('test/json x.json:1:2');
});

test('whole numbers keep their spelling as floats', () => {
  const text = '{\n  "rope_theta": 10000.0,\n  "mean": [\n    0.0,\n    0.5\n  ],\n  "size": 4,\n  "none": {}\n}';
  const floats = new Set<string>();
  const value = parseJson(text, { ...source, floats });
  expect([...floats]).toEqual(['rope_theta', 'mean']);
  expect(formatJson({ ...(value as JsonObject) }, floats)).toBe(text);
  expect(formatJson({ initializer_factor: 1, vocab_size: 8 })).toBe(
    '{\n  "initializer_factor": 1.0,\n  "vocab_size": 8\n}',
  );
  expect(() => formatJson({ a: Number.NaN })).toThrow(expect.objectContaining({ code: 'json/number', path: 'a' }));
});

test('what is written reads back', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const json = JSON.parse(JSON.stringify(value));
      expect(parseJson(formatJson(json), source)).toEqual(json);
    }),
    { numRuns: 200, seed: 3 },
  );
});

test('refuses what float64 or another reader cannot hold', () => {
  const text = (value: string) => () => parseJson(value, source);
  for (const bad of ['1e999', '[-1e400]', '['.repeat(100), '"\u0001"', '"', '"\\', '{"a":1,"\\u0061":2}']) {
    expect(text(bad), bad.slice(0, 9)).toThrow(TesseraError);
  }
  expect(Object.keys(parseJson('{"__proto__": {"a": 1}}', source) as object)).toEqual(['__proto__']);
  expect(({} as { a?: number }).a).toBeUndefined();
});
