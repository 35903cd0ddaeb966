import { execSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readBytes, readText } from './read.ts';

const root = mkdtempSync(join(tmpdir(), 'tessera-read-'));
afterAll(() => rmSync(root, { recursive: true }));
const limits = { code: 'test/file', largest: 8 };

function file(name: string, content: string | Uint8Array): string {
  const path = join(root, name);
  writeFileSync(path, content);
  return path;
}

test('reads ordinary files up to the limit', () => {
  expect([...readBytes(file('a', '12345678'), limits)]).toHaveLength(8);
  expect(readText(file('b', '\uFEFFtext'), limits)).toBe('text');
});

test.each([
  ['too large', () => file('c', '123456789'), { got: '9 bytes' }],
  ['no UTF-8', () => file('d', Uint8Array.of(0x61, 0xff)), { got: 'other bytes' }],
  ['a folder', () => root, { got: 'a folder' }],
  ['nothing', () => join(root, 'none'), { got: 'nothing' }],
  ['below a file', () => join(file('e', ''), 'x'), {}],
  ['too long a name', () => join(root, 'x'.repeat(5000)), {}],
])('refuses %s', (_, path, fault) => {
  expect(() => readText(path(), limits)).toThrow(expect.objectContaining({ code: 'test/file', ...fault }));
});

test.skipIf(process.platform === 'win32')('does not wait for a pipe', () => {
  const pipe = join(root, 'pipe');
  execSync(`mkfifo '${pipe}'`);
  expect(() => readText(pipe, limits)).toThrow(expect.objectContaining({ code: 'test/file', got: 'a device' }));
});
