// Compiles src/ to dist/ with its data files. dist/ is replaced only by a build that went through.
import { spawnSync } from 'node:child_process';
import { cpSync, renameSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

// The first `npx tessera` links this folder into a cache of npx and runs `prepare` once more; a failure there would
// leave that cache broken for good.
if (process.env.npm_command === 'exec' && process.env.npm_lifecycle_event === 'prepare') process.exit();

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const draft = 'dist.draft';
rmSync(draft, { recursive: true, force: true });
compile();
cpSync('src', draft, { recursive: true, filter: isData });
rmSync('dist', { recursive: true, force: true });
renameSync(draft, 'dist');

function compile() {
  const tsc = fileURLToPath(import.meta.resolve('typescript/package.json')).replace(/package\.json$/, 'bin/tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', draft], {
    stdio: 'inherit',
  });
  if (status === 0) return;
  rmSync(draft, { recursive: true, force: true });
  process.exit(status ?? 1);
}

/** Folders, and the templates, tables and pages that the code reads from beside it. */
function isData(path) {
  return !/\.tsx?$/.test(path) && basename(path) !== '__snapshots__';
}
