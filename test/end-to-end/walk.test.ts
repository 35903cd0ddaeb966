import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { builtCommand } from '../support/built-command.ts';
import { scratchFolder } from '../support/scratch-folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const title = '## Your own model, your own pictures';

interface Step {
  readonly commands: string;
  /** What the README says that they print. */
  readonly output: string;
}

/** The blocks of commands under the title, each with the output that stands below it. */
function walk(readme: string): Step[] {
  const from = readme.indexOf(`${title}\n`);
  const section = readme.slice(from, readme.indexOf('\n## ', from));
  const blocks = [...section.matchAll(/^```(sh|text)\n([\s\S]*?)^```$/gm)].map(([, kind, text = '']) => ({
    kind,
    text,
  }));
  return blocks.flatMap(({ kind, text }, i) => {
    if (kind === 'text') return [];
    const next = blocks[i + 1];
    return [{ commands: text, output: next?.kind === 'text' ? next.text : '' }];
  });
}

/** Without what a machine decides: memory, times, the last digits of losses, and the widths of their columns. */
function steady(output: string): string {
  const lines = output
    .trimEnd()
    .split('\n')
    .map((line) => (line.startsWith('  ') ? line.replace(/\d+ /g, 'N ').replace(/\d+$/, 'N') : line))
    .map((line) => line.replace(/^ {2}time .*/, 'time'))
    .map((line) => line.replace(/^(\w+ +\d+) +[\d:]+ +[\d.]+( +\d+ +\d+)$/, '$1 TIME LOSS$2'));
  return lines.map((line) => line.trimEnd().replace(/ +/g, ' ').replace(/-{2,}/g, '--')).join('\n');
}

describe('README: your own model, your own pictures', () => {
  const steps = walk(readFileSync(join(root, 'README.md'), 'utf8'));
  const place = scratchFolder().fresh();
  const bin = join(place, 'bin');

  beforeAll(() => {
    mkdirSync(bin);
    symlinkSync(join(root, 'assets'), join(place, 'assets'));
    const command = `"${process.execPath}" "${builtCommand}"`;
    writeFileSync(join(bin, 'npx'), `#!/bin/sh\n[ "$1" = tessera ] && shift && exec ${command} "$@"\n`, {
      mode: 0o755,
    });
  });

  /** Runs a block in a folder that holds the assets of the repository, with this source as the command. */
  function run(commands: string): string {
    const env = {
      ...process.env,
      PATH: `${bin}:${process.env.PATH}`,
      NO_COLOR: '1',
      TERM: 'xterm',
      TESSERA_CACHE: join(place, 'cache'),
    };
    const { status, stdout, stderr } = spawnSync('sh', ['-e', '-c', commands], { cwd: place, env, encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    return stdout;
  }

  it('has its steps in blocks of commands', () => {
    expect(steps).toHaveLength(7);
  });

  // Each needs what those before it have made.
  it.each(steps)('does and prints what it says: $commands', { timeout: 600_000 }, ({ commands, output }) => {
    expect(steady(run(commands))).toBe(steady(output));
  });
});
