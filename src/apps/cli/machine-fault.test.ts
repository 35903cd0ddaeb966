import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { machineFault } from './machine-fault.ts';

const caught = (action: () => void): unknown => {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
};

it('is told of a full disk, with what to do', () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  expect(machineFault(full)).toMatchObject({ code: 'cli/machine', remedy: expect.stringContaining('make room') });
});

it.each(['EDQUOT', 'EROFS', 'EACCES', 'EMFILE', 'EIO'])('knows %s', (code) => {
  expect(machineFault(Object.assign(new Error(code), { code, path: '/x' }))).toMatchObject({ path: '/x' });
});

it('leaves other errors to be called defects', () => {
  expect(machineFault(new TypeError('x is undefined'))).toBeUndefined();
  expect(machineFault(caught(() => writeFileSync('', '')))).toBeUndefined();
});
