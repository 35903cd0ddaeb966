import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { builtCommand } from '../../../test/support/built-command.ts';

/** A line of the shell in which `tessera` is the command, with its exit code. */
function shell(line: string): Promise<{ code: number; err: string }> {
  const script = `tessera() { "${process.execPath}" "${builtCommand}" "$@"; }\n${line}`;
  return new Promise((resolve) => {
    execFile('bash', ['-c', script], (error, _out, err) => resolve({ code: Number(error?.code ?? 0), err }));
  });
}

describe.runIf(existsSync('/dev/full'))('a result', () => {
  it.each(['recipes', 'recipes options --json', '--help', 'recipes show llava', 'doctor --quiet'])(
    'that cannot be written is a fault: %s',
    async (verb) => {
      const { code, err } = await shell(`tessera ${verb} > /dev/full`);
      expect([code, err]).toEqual([1, expect.stringContaining('the result could not be written to standard output')]);
    },
  );

  it('of which a reader wants no more is none', async () => {
    expect(await shell('set -o pipefail; tessera recipes options | head -1 > /dev/null')).toEqual({
      code: 0,
      err: '',
    });
    expect(await shell('set -o pipefail; tessera recipes | true')).toEqual({ code: 0, err: '' });
  });
});
