import { expect, it } from 'vitest';
import { sourceName } from './source.ts';

it('names an image in a few words, however long its address is', () => {
  expect(sourceName('a/b.png')).toBe('a/b.png');
  expect(sourceName(`data:image/png;base64,${'A'.repeat(8192)}`)).toBe('data:image/png;base64,… (6 KB)');
  expect(sourceName(`DATA:${'x'.repeat(500)}`).length).toBeLessThan(60);
  expect(sourceName(new Uint8Array(5))).toBe('(5 bytes in memory)');
});
