import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { bundleCommand } from '../../scripts/bundle.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = 'dist.test';

/** The command as it is built, of the source as it stands: tests start it in processes of their own. */
export const builtCommand: string = `${root}${folder}/command/main.js`;

/** Before the first test, and before tests run once more for a change. */
export default async function setUp(project: TestProject): Promise<void> {
  project.onTestsRerun(rebuild);
  await rebuild();
}

async function rebuild(): Promise<void> {
  rmSync(`${root}${folder}`, { recursive: true, force: true });
  await bundleCommand(folder);
}
