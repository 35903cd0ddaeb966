import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { TesseraError } from '../../base/index.ts';
import { runFolder } from '../folder.ts';
import { type RunSummary, summarizeRun } from './summary.ts';

/**
 * The runs among the given folders and right below them, the one that wrote last first.
 * @throws TesseraError `run/no-folder` for a folder that is not there.
 */
export function listRuns(folders: readonly string[]): RunSummary[] {
  const found = new Set(folders.flatMap(runsIn));
  return [...found].map(summarizeRun).sort((a, b) => (a.updated < b.updated ? 1 : -1));
}

function runsIn(folder: string): string[] {
  if (isRun(folder)) return [folder];
  if (!existsSync(folder)) {
    const remedy = 'start one with `tessera train`, or name the folder that holds your runs';
    throw new TesseraError({ code: 'run/no-folder', message: 'there is no folder of runs', path: folder, remedy });
  }
  const inside = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return inside.map(({ name }) => join(folder, name)).filter(isRun);
}

function isRun(folder: string): boolean {
  return existsSync(runFolder(folder).recipe);
}
