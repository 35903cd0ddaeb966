import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Bundles the command to `command/main.js` in a folder of the root, since reading hundreds of files is most of the time
 * that a start takes. A verb and what it alone needs stay a file of their own. The root of the package is two up from the
 * code then, as it is from a room of src/.
 */
export async function bundleCommand(folder) {
  const outdir = join(root, folder, 'command');
  await build({
    entryPoints: [join(root, 'src/apps/cli/main.ts')],
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
  cpSync(join(root, 'src/data/chat/templates'), join(outdir, 'templates'), { recursive: true });
}
