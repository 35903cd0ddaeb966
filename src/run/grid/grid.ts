import { join } from 'node:path';
import type { GridTable } from '../../eval/index.ts';
import { makeFolder } from '../../files/index.ts';
import type { Grid } from '../../recipe/index.ts';
import { claimRun } from '../claim.ts';
import type { Hooks } from '../types.ts';
import { type Cell, cellsOf } from './cells.ts';
import { isMade, makeCell } from './make-cell.ts';
import { type CellResult, cellResult, phases } from './result.ts';
import { openMeasures, writeTable } from './table.ts';

/** How a grid ended; `interrupted` when the signal or the number of cells stopped it, and the same call then goes on. */
export interface GridResult {
  readonly folder: string;
  readonly status: 'done' | 'interrupted';
  readonly cells: number;
  readonly done: number;
  readonly failed: number;
  readonly table: GridTable;
}

/** A cell before it is run. */
export interface CellOutlook {
  readonly base: string;
  readonly method: string;
  readonly seed: number;
  readonly status: 'done' | 'failed' | 'open';
  /** Seconds that it took, or about that it will take, by the cells that are done; absent where none is. */
  readonly seconds?: number;
}

/**
 * Runs every cell of a grid that is not finished and writes the table anew after each. Cells that fail are tried again by
 * the next call.
 * @param most cells to run now; all unless told
 * @throws TesseraError `grid/other-settings`, `eval/no-measure`, `run/in-use`
 */
export async function runGrid(grid: Grid, hooks: Hooks, most = Number.POSITIVE_INFINITY): Promise<GridResult> {
  const measured = await openMeasures(grid, hooks);
  makeFolder(grid.folder);
  const release = claimRun({ path: grid.folder, claim: join(grid.folder, 'running.json') });
  try {
    const cells = cellsOf(grid);
    const open = cells.filter((cell) => !isMade(grid, cell));
    const now = open.slice(0, most);
    let stopped = now.length < open.length;
    let table = await writeTable(grid, measured);
    for (const cell of now) {
      const { base, method, seed } = cell;
      hooks.log.info(`cell ${cells.indexOf(cell) + 1} of ${cells.length}: ${method} on ${base}, seed ${seed}`);
      const ended = await makeCell(grid, cell, hooks);
      if (ended === 'interrupted') {
        stopped = true;
        break;
      }
      if (ended !== 'done')
        hooks.log.warn(`${method} on ${base}, seed ${seed}, failed: ${ended.message} (${ended.code})`);
      table = await writeTable(grid, measured);
    }
    const count = (status: CellResult['status']) => cells.filter((cell) => cellResult(cell)?.status === status).length;
    const counts = { cells: cells.length, done: count('done'), failed: count('failed') };
    return { folder: grid.folder, status: stopped ? 'interrupted' : 'done', ...counts, table };
  } finally {
    release();
  }
}

/** What a grid has to do, and about how long that takes; does none of it. */
export function foretellGrid(grid: Grid): readonly CellOutlook[] {
  const cells = cellsOf(grid).map((cell) => ({ cell, found: cellResult(cell) }));
  const done = cells.filter(({ found }) => found?.status === 'done');
  return cells.map(({ cell, found }) => {
    const { base, method, seed } = cell;
    const seconds = found?.status === 'done' ? secondsOf(found) : expected(cell, done as Done[]);
    const status = found?.status ?? 'open';
    return { base, method, seed, status, ...(seconds !== undefined && { seconds }) };
  });
}

interface Done {
  readonly cell: Cell;
  readonly found: CellResult;
}

/** Each part as in the cells that are most alike: the same base and method, the same base, or any. */
function expected({ base, method }: Cell, done: readonly Done[]): number | undefined {
  const same = done.filter(({ cell }) => cell.base === base);
  const both = same.filter(({ cell }) => cell.method === method);
  const like = [both, same, done].find((some) => some.length > 0);
  return like && like.reduce((sum, { found }) => sum + secondsOf(found), 0) / like.length;
}

function secondsOf({ seconds }: CellResult): number {
  return phases.reduce((sum, phase) => sum + (seconds[phase] ?? 0), 0);
}
