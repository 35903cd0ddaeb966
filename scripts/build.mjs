// Builds the command to dist/, which is replaced only by a build that went through.
import { renameSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleCommand } from './bundle.mjs';

// The first `npx tessera` links this folder into a cache of npx and runs `prepare` once more; a failure there would
// leave that cache broken for good.
if (process.env.npm_command === 'exec' && process.env.npm_lifecycle_event === 'prepare') process.exit();

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const draft = 'dist.draft';
rmSync(draft, { recursive: true, force: true });
await bundleCommand(draft);
rmSync('dist', { recursive: true, force: true });
renameSync(draft, 'dist');
