import { existsSync, readdirSync } from 'node:fs';
import type { Plan } from '../../recipe/index.ts';
import { isRunOf, resultOf, runFolder } from '../folder.ts';

/** Where a demo trains. */
export interface DemoFolder {
  readonly folder: string;
  /** Whether it holds an unfinished run of this very plan. */
  readonly goesOn: boolean;
  /** Folders that hold something else, such as a demo that is over. */
  readonly taken: readonly string[];
}

/**
 * The first of `base`, `base-2`, `base-3`, … that is free or holds an unfinished run of the plan. Nothing is removed.
 * @param planFor the plan with its output in a folder
 */
export function demoFolder(base: string, planFor: (folder: string) => Plan): DemoFolder {
  const taken: string[] = [];
  for (let n = 1; ; n++) {
    const folder = n === 1 ? base : `${base}-${n}`;
    if (!existsSync(folder) || readdirSync(folder).length === 0) return { folder, goesOn: false, taken };
    const run = runFolder(folder);
    if (isRunOf(run, planFor(folder)) && !isOver(folder)) return { folder, goesOn: true, taken };
    taken.push(folder);
  }
}

function isOver(folder: string): boolean {
  const run = runFolder(folder);
  return resultOf(run) !== undefined && existsSync(run.evaluation);
}
