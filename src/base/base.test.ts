import { describe, expect, it } from 'vitest';
import { asTesseraError, formatFault, nearest, raise, TesseraError } from './errors.ts';
import { bytesOf, float32, full, int64, scalarOf, tensor } from './tensor.ts';
import { selector } from './tree.ts';

describe('selector', () => {
  const paths = ['model.layers.0.mlp.up.weight', 'model.layers.1.mlp.up.bias', 'model.norm.weight', 'lm_head.weight'];
  const chosen = (...patterns: string[]) => paths.filter(selector(patterns));

  it('takes one segment for * and any number for **', () => {
    expect(chosen('model.layers.*.mlp.**')).toEqual(paths.slice(0, 2));
    expect(chosen('**.weight')).toEqual([paths[0], paths[2], paths[3]]);
    expect(chosen('model.*.weight')).toEqual([paths[2]]);
    expect(chosen('**')).toEqual(paths);
    expect(chosen('model.layers.**.weight')).toEqual([paths[0]]);
    expect(chosen('model.**')).toEqual(paths.slice(0, 3));
  });

  it('lets later patterns win', () => {
    expect(chosen('**', '!model.**')).toEqual(['lm_head.weight']);
    expect(chosen('!**', 'lm_head.*')).toEqual(['lm_head.weight']);
    expect(chosen()).toEqual([]);
  });

  it('takes dots and other signs as they are', () => {
    expect(selector(['a.b'])('axb')).toBe(false);
    expect(selector(['a(b)'])('a(b)')).toBe(true);
  });
});

describe('faults', () => {
  it('spell out what would steer a terminal', () => {
    const fault = { code: 'a/b', message: 'a\u001b[2Jb', got: 'c\u202ed\r\n\te \u{1f468}\u200d\u{1f469}' };
    expect(formatFault(fault)).toBe('a\\u{1b}[2Jb [a/b]\n  got:      c\\u{202e}d\\u{d}\n\te \u{1f468}\u200d\u{1f469}');
  });

  it('come all at once', () => {
    const faults = [
      { code: 'a/b', message: 'first', path: 'train.steps', expected: '1', got: '0', remedy: 'raise it' },
      { code: 'c/d', message: 'second' },
    ];
    raise([]);
    expect(() => raise(faults)).toThrow(expect.objectContaining({ code: 'a/b', others: [faults[1]] }));
    expect(formatFault(faults[0] as (typeof faults)[0])).toMatchInlineSnapshot(`
      "first [a/b]
        path:     train.steps
        expected: 1
        got:      0
        remedy:   raise it"
    `);
  });

  it('survive JSON and wrap what was thrown', () => {
    const error = asTesseraError(new RangeError('too far'), { code: 'x/y', path: 'file' });
    expect(JSON.parse(JSON.stringify(error))).toEqual({ code: 'x/y', message: 'too far', path: 'file' });
    expect(error.cause).toBeInstanceOf(RangeError);
    expect(asTesseraError(error, { code: 'other' })).toBe(error);
    expect(error).toBeInstanceOf(TesseraError);
  });

  it('name the nearest word when one is near', () => {
    expect(nearest('stpes', ['steps', 'seed', 'stage'])).toBe('steps');
    expect(nearest('Steps', ['steps'])).toBe('steps');
    expect(nearest('zzzzzz', ['steps', 'seed'])).toBeUndefined();
  });
});

describe('tensors', () => {
  it('are refused when their data does not fill them', () => {
    expect(() => tensor('float32', [2, 3], new Float32Array(5))).toThrow('does not fill the shape');
    expect(float32([0, 3], []).data).toHaveLength(0);
  });

  it('hold a repeated number in the storage of their type', () => {
    expect([...full('int64', [2], -3).data]).toEqual([-3n, -3n]);
    expect([...full('float16', [1], 1).data]).toEqual([0x3c00]);
    expect([...full('bfloat16', [1], 1).data]).toEqual([0x3f80]);
    expect([...full('bool', [2], 1).data]).toEqual([1, 1]);
    expect(scalarOf(full('float64', [], 0.1))).toBe(0.1);
  });

  it('give their one number and their bytes', () => {
    expect(scalarOf(int64([1, 1], [5]))).toBe(5);
    expect(() => scalarOf(float32([2], [1, 2]))).toThrow('no scalar');
    const data = new Float32Array(4).subarray(1, 3);
    expect([bytesOf(data).byteOffset, bytesOf(data).byteLength]).toEqual([4, 8]);
  });
});
