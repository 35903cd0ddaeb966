// Bundles the command to dist/, since reading hundreds of files is most of the time that a start takes. A verb and what
// it alone needs stay a file of their own. dist/ is replaced only by a build that went through.
import { cpSync, renameSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

// The first `npx tessera` links this folder into a cache of npx and runs `prepare` once more; a failure there would
// leave that cache broken for good.
if (process.env.npm_command === 'exec' && process.env.npm_lifecycle_event === 'prepare') process.exit();

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const draft = 'dist.draft';
rmSync(draft, { recursive: true, force: true });
// A folder in dist/, so that the root of the package is two up from the code as it is from a room of src/.
const outdir = `${draft}/command`;
await build({
  entryPoints: ['src/apps/cli/main.ts'],
  outdir,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  sourcemap: true,
  logLevel: 'warning',
});
cpSync('src/data/chat/templates', `${outdir}/templates`, { recursive: true });
rmSync('dist', { recursive: true, force: true });
renameSync(draft, 'dist');
