import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { calledAs, spelled } from './called.ts';

it.each([
  ['npx tessera', { npm_command: 'exec' }, '/somewhere/node_modules/.bin/tessera'],
  ['npx tessera', { npm_command: 'run-script' }, resolve('bin/tessera.js')],
  ['node bin/tessera.js', {}, resolve('bin/tessera.js')],
  ['tessera', {}, '/usr/local/bin/tessera'],
  ['tessera', {}, ''],
])('spells commands as the user does: %s', (called, env, script) => {
  expect(calledAs({ env, script })).toBe(called);
});

it('spells the commands of a sentence so, and nothing else of it', () => {
  const start = { env: { npm_command: 'exec' }, script: '' };
  const said = 'go on with `tessera resume runs/a`, or: tessera train b; this is a defect of tessera; tessera.js';
  expect(spelled(said, start)).toBe(
    'go on with `npx tessera resume runs/a`, or: npx tessera train b; this is a defect of tessera; tessera.js',
  );
  // A sentence is no command.
  expect(spelled('a defect of tessera.', start)).toBe('a defect of tessera.');
});
