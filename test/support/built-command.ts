import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { bundleCommand } from '../../scripts/bundle.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const [folder, killableFolder] = ['dist.test', 'dist.exact'];

/** The command as it is built, of the source as it stands: tests start it in processes of their own. */
export const builtCommand: string = `${root}${folder}/command/main.js`;

/** The same, which can be told to end itself at a moment of its life. */
export const killableCommand: string = `${root}${killableFolder}/command/main.js`;

/** Before the first test, and before tests run once more for a change. */
export default async function setUp(project: TestProject): Promise<void> {
  project.onTestsRerun(rebuild);
  await rebuild();
}

/** Builds both. */
export async function rebuild(): Promise<void> {
  for (const built of [folder, killableFolder]) rmSync(`${root}${built}`, { recursive: true, force: true });
  await bundleCommand(folder);
  await bundleCommand(killableFolder, 'test/exact/command.ts');
}
