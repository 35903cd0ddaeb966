import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { faultOf } from '../../test/support/faults.ts';
import { scratchFolder } from '../../test/support/scratch-folder.ts';
import { writeFolder } from './folder.ts';

const { fresh } = scratchFolder();

const put = (text: string) => (folder: string) => writeFileSync(join(folder, 'x.txt'), text);

describe('a folder appears whole or not at all', () => {
  test('new, nested, and into an empty one', () => {
    const root = fresh();
    writeFolder(join(root, 'a', 'b'), put('1'));
    mkdirSync(join(root, 'empty'));
    writeFolder(join(root, 'empty'), put('2'));
    expect(readFileSync(join(root, 'a', 'b', 'x.txt'), 'utf8')).toBe('1');
    expect(readdirSync(root).sort()).toEqual(['a', 'empty']);
  });

  test('a full folder is kept unless it is told, and on failure in any case', () => {
    const root = fresh();
    const out = join(root, 'out');
    writeFolder(out, put('old'));
    expect(faultOf(() => writeFolder(out, put('new'))).code).toBe('folder/exists');
    const broken = () => {
      throw new Error('no space');
    };
    expect(faultOf(() => writeFolder(out, broken, { overwrite: true })).code).toBe('folder/write');
    expect(faultOf(() => writeFolder(join(root, 'never'), broken)).code).toBe('folder/write');
    expect(readFileSync(join(out, 'x.txt'), 'utf8')).toBe('old');
    writeFileSync(join(out, 'left-over'), '');
    writeFolder(out, put('new'), { overwrite: true });
    expect(readdirSync(out)).toEqual(['x.txt']);
    expect(readFileSync(join(out, 'x.txt'), 'utf8')).toBe('new');
    expect(readdirSync(root)).toEqual(['out']);
  });

  test('a file is never replaced', () => {
    const path = join(fresh(), 'file');
    writeFileSync(path, 'mine');
    expect(faultOf(() => writeFolder(path, put('x'), { overwrite: true })).code).toBe('folder/exists');
    expect(readFileSync(path, 'utf8')).toBe('mine');
  });

  test('the source is never touched, by whatever name', () => {
    const root = fresh();
    const source = join(root, 'source');
    writeFolder(source, put('weights'));
    symlinkSync(source, join(root, 'link'));
    for (const target of [source, join(source, 'out'), join(root, 'link'), join(root, 'link', 'out'), root]) {
      const write = () => writeFolder(target, put('x'), { overwrite: true, sources: [source] });
      expect(faultOf(write).code, target).toBe('folder/is-source');
    }
    expect(readdirSync(source)).toEqual(['x.txt']);
    writeFolder(`${source}-2`, put('x'), { sources: [source] });
    expect(readdirSync(root).sort()).toEqual(['link', 'source', 'source-2']);
  });
});
