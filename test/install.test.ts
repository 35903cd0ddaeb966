import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

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
