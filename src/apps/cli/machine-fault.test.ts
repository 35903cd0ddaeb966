import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { asTesseraError } from '../../base/index.ts';
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

it.each(['EDQUOT', 'EFBIG', 'EROFS', 'EACCES', 'EMFILE', 'EIO'])('knows %s', (code) => {
  expect(machineFault(Object.assign(new Error(code), { code, path: '/x' }))).toMatchObject({ path: '/x' });
});

it.each(['ENAMETOOLONG', 'ELOOP', 'ESTALE', 'EBUSY'])('takes %s, refused to a call, for the machine', (code) => {
  expect(machineFault(Object.assign(new Error(code), { code, syscall: 'open' }))).toMatchObject({
    code: 'cli/machine',
    got: code,
  });
});

it('gives a full disk its own remedy, whoever met it', () => {
  const fallback = { code: 'x/write', remedy: 'name another file' };
  const met = (code: string) => asTesseraError(Object.assign(new Error(code), { code, syscall: 'write' }), fallback);
  expect(met('ENOSPC').remedy).toContain('make room');
  expect(met('EFBIG').remedy).toContain('ulimit -f');
  expect(met('ENOTDIR').remedy).toBe('name another file');
});

it('leaves other errors to be called defects', () => {
  expect(machineFault(new TypeError('x is undefined'))).toBeUndefined();
  expect(machineFault(caught(() => writeFileSync('', '')))).toBeUndefined();
});
