import { expect, test } from 'vitest';
import * as disk from './disk.ts';
import * as web from './disk.web.ts';

const bytes = Uint8Array.of(1, 2, 3, 4);
web.keepFile('http://host/models/tiny/config.json', bytes);
web.keepFile('http://host/models/tiny/parts/a', Uint8Array.of());

test('finds what was fetched, by paths of every spelling', () => {
  expect(web.lookUp('http://host/models/tiny/config.json')).toEqual({ kind: 'file', bytes: 4 });
  expect(web.readWhole(web.join('http://host/models/other', '../tiny', 'config.json'))).toBe(bytes);
  expect(web.lookUp('http://host/models/tiny/')).toEqual({ kind: 'folder', bytes: 0 });
  expect(web.namesIn('http://host/models/tiny')).toEqual(['config.json', 'parts']);
  expect(web.pathExists('http://host/models/tin')).toBe(false);
  expect(() => web.readWhole('http://host/none')).toThrow('was not fetched');
});

test('reads in places, and no further than the end', () => {
  const target = new Uint8Array(3);
  expect(web.withFile('http://host/models/tiny/config.json', (file) => file.read(target, 2))).toBe(2);
  expect([...target]).toEqual([3, 4, 0]);
});

test.skipIf(process.platform === 'win32')('names paths as the disk does', () => {
  for (const parts of [['/a', 'b'], ['/a/', './b', '../c'], ['/a', '/b'], ['/'], ['/a//b/', '.']]) {
    expect(web.join(...parts), `${parts}`).toBe(disk.join(...parts).replace(/(?<=.)\/$/, ''));
    expect(web.resolve(...parts), `${parts}`).toBe(disk.resolve(...parts));
  }
  for (const path of ['/a/b.json', '/a/b/', '/a']) {
    expect(web.dirname(path)).toBe(disk.dirname(path));
    expect(web.basename(path)).toBe(disk.basename(path));
  }
});

test('forgets a folder', () => {
  web.keepFile('/gone/a', bytes);
  web.dropFolder('/gone/');
  expect(web.namesIn('/gone')).toEqual([]);
  expect(web.pathExists('http://host/models/tiny/config.json')).toBe(true);
});

test('has all that the disk has', () => {
  expect(Object.keys(web)).toEqual(expect.arrayContaining(Object.keys(disk)));
});
