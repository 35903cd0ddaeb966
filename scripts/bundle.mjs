import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const command = 'src/apps/cli/main.ts';
const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Bundles the command to `command/main.js` in a folder of the root, since reading hundreds of files is most of the time
 * that a start takes. A verb and what it alone needs stay a file of their own. The root of the package is two up from the
 * code then, as it is from a room of src/.
 * @param entry what runs, from the root; another than the command is imported for what it does
 */
export async function bundleCommand(folder, entry = command) {
  const outdir = join(root, folder, 'command');
  await build({
    entryPoints: { main: join(root, entry) },
    outdir,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    sourcemap: true,
    // package.json says that no module does anything when it is imported.
    ignoreAnnotations: entry !== command,
    logLevel: 'warning',
  });
  cpSync(join(root, 'src/data/chat/templates'), join(outdir, 'templates'), { recursive: true });
}
