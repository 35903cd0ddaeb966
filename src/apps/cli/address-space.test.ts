import { describe, expect, it } from 'vitest';
import { addressSpace, requireAddressSpace } from './address-space.ts';

const limits = (bytes: string) => `Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max address space         ${bytes.padEnd(20)} unlimited            bytes
`;

describe('the address space', () => {
  it('is read where it is limited', () => {
    expect(addressSpace(limits('1536000000'))).toBe(1_536_000_000);
    expect(addressSpace(limits('unlimited'))).toBeUndefined();
    expect(addressSpace('')).toBeUndefined();
  });

  it('is enough from 2 GiB on', () => {
    expect(() => requireAddressSpace(2 ** 31)).not.toThrow();
    expect(() => requireAddressSpace(undefined)).not.toThrow();
    expect(() => requireAddressSpace(1_536_000_000)).toThrow(
      expect.objectContaining({
        code: 'cli/address-space',
        got: '1.4 GiB',
        remedy: expect.stringContaining('ulimit -v'),
      }),
    );
  });
});
