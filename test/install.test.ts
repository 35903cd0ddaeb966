import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { scratchFolder } from './support/scratch-folder.ts';

// What is wanted of a dependency is in its package: a script of onnxruntime-node would fetch libraries for CUDA, and npm
// asks about scripts. npm runs those of packages that the lock file says have some.
it('npm runs no script of a dependency', () => {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  const withScripts = Object.entries<{ hasInstallScript?: boolean }>(packages).filter(
    ([, one]) => one.hasInstallScript,
  );
  expect(withScripts.map(([path]) => path)).toEqual([]);
});

// npm 11 warns of keys that it does not know, at every call.
it('npm is told nothing that it does not know', () => {
  const keys = readFileSync('.npmrc', 'utf8').trim().split('\n');
  expect(keys.map((line) => line.replace(/=.*/, ''))).toEqual(['omit-lockfile-registry-resolved']);
  const warned = execFileSync('npm pkg get name 2>&1', { shell: true, encoding: 'utf8' });
  expect(JSON.parse(warned)).toBe('tessera');
});

/** The package as `npm pack` makes it, in the `node_modules` of an empty folder; its dependencies are those of this one. */
function packed(): string {
  const folder = scratchFolder().fresh();
  const modules = join(folder, 'node_modules');
  const home = join(modules, 'tessera');
  mkdirSync(home, { recursive: true });
  const run = (command: string) =>
    execFileSync(command, { shell: true, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const [{ filename }] = JSON.parse(run(`npm pack --ignore-scripts --json --pack-destination ${folder}`));
  run(`tar -xzf ${join(folder, filename)} -C ${home} --strip-components 1`);
  for (const name of Object.keys(JSON.parse(readFileSync('package.json', 'utf8')).dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(resolve('node_modules', name), join(modules, name));
  }
  return folder;
}

it('a packed tessera runs where it is installed, with its recipes and models, and carries no tests', () => {
  expect(existsSync('dist/command/main.js'), 'npm run build').toBe(true);
  const folder = packed();
  const home = join(folder, 'node_modules', 'tessera');
  const tessera = (...args: string[]) =>
    execFileSync(process.execPath, [join(home, 'bin', 'tessera.js'), ...args], { cwd: folder, encoding: 'utf8' });
  expect(tessera('--help')).toContain('Train, evaluate, talk to and export vision-language models.');
  expect(tessera('recipes', 'show', 'llava')).toContain('stages:');
  for (const name of ['assets/tabletop-llava/model.safetensors', 'README.md', 'LICENSE']) {
    expect(existsSync(join(home, name)), name).toBe(true);
  }
  for (const name of ['src', 'test', 'node_modules']) expect(existsSync(join(home, name)), name).toBe(false);
});

it('a file that may not grow as large as it must is not left by half', () => {
  const file = join(scratchFolder().fresh(), 'mine.yaml');
  const command = `ulimit -f 1; ${process.execPath} bin/tessera.js recipes copy llava ${file}`;
  const { status, stderr } = spawnSync('bash', ['-c', command], { encoding: 'utf8' });
  expect(stderr).toMatch(/EFBIG.*\[file\/write\]\n {2}path:.*\n {2}remedy: {3}allow larger files \(`ulimit -f`\)/);
  expect(status).toBe(1);
  expect(readdirSync(dirname(file))).toEqual([]);
});

it('a machine without free descriptors is told of as such, and not by the stack of the loader', () => {
  const command = `ulimit -n 32; ${process.execPath} bin/tessera.js --help 2>&1`;
  let said = '';
  try {
    said = execFileSync('bash', ['-c', command], { encoding: 'utf8' });
  } catch (error) {
    said = String((error as { stdout?: string }).stdout);
  }
  expect(said).not.toMatch(/^\s+at /m);
  expect(said).toMatch(/EMFILE.*\[cli\/machine\]\n {2}remedy: {3}allow more open files|Usage: tessera/);
});
