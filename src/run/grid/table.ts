import { basename, join } from 'node:path';
import {
  type GridChange,
  type GridMeasure,
  type GridRow,
  type GridTable,
  gridImage,
  gridMarkdown,
  measureIn,
  type Recorded,
  readRecorded,
  scoreChanges,
  type Task,
} from '../../eval/index.ts';
import { writeTextAtomically } from '../../files/index.ts';
import type { Grid } from '../../recipe/index.ts';
import { openQuestions } from '../evaluate.ts';
import type { Hooks } from '../types.ts';
import { type Cell, cellsOf, startOf } from './cells.ts';
import { beforeOf, type CellResult, cellResult } from './result.ts';

/** The tasks of a grid, and what its table shows of them. */
export interface Measured {
  readonly tasks: ReadonlyMap<string, Task>;
  readonly measures: readonly GridMeasure[];
}

/**
 * Opens the tasks that a grid asks, which judge recorded answers once more.
 * @throws TesseraError `eval/no-measure`
 */
export async function openMeasures({ eval: asked, measure, beside }: Grid, hooks: Hooks): Promise<Measured> {
  const { tasks } = await openQuestions(asked, false, hooks);
  const byName = new Map(tasks.map((task) => [task.name, task]));
  const measures = [measure, ...beside].map(({ task, group, metric }) => {
    const of = byName.get(task) as (typeof tasks)[number];
    return { task, group, metric: measureIn(of, group, metric) };
  });
  return { tasks: byName as Map<string, Task>, measures };
}

/** Writes what the grid has come to so far: `grid.json`, `grid.md` and `grid.svg`. */
export async function writeTable(grid: Grid, measured: Measured): Promise<GridTable> {
  const recordings = new Map<string, Promise<Recorded>>();
  const read = (folder: string) => {
    const found = recordings.get(folder) ?? readRecorded(folder);
    recordings.set(folder, found);
    return found;
  };
  const all = cellsOf(grid);
  const row = (cells: readonly Cell[]) => rowOf(grid, cells, measured, read);
  const pairs = [...grid.bases.keys()].flatMap((base) =>
    [...grid.methods.keys()].map((method) => all.filter((cell) => cell.base === base && cell.method === method)),
  );
  const table: GridTable = {
    name: basename(grid.folder),
    measures: measured.measures,
    images: grid.eval.limit,
    rows: await inTurn(pairs, row),
    cells: await inTurn(pairs.flat(), (cell) => row([cell])),
  };
  writeTextAtomically(join(grid.folder, 'grid.json'), `${JSON.stringify(table, null, 2)}\n`);
  writeTextAtomically(join(grid.folder, 'grid.md'), gridMarkdown(table));
  writeTextAtomically(join(grid.folder, 'grid.svg'), gridImage(table));
  return table;
}

async function inTurn<A, B>(values: readonly A[], work: (value: A) => Promise<B>): Promise<B[]> {
  const done: B[] = [];
  for (const value of values) done.push(await work(value));
  return done;
}

/** What cells of one base and method came to together. */
async function rowOf(
  grid: Grid,
  cells: readonly Cell[],
  { tasks, measures }: Measured,
  read: (folder: string) => Promise<Recorded>,
): Promise<GridRow> {
  const [{ base, method }] = cells as [Cell, ...Cell[]];
  const results = cells.map((cell) => ({ cell, found: cellResult(cell) }));
  const done = results.filter(({ found }) => found?.status === 'done').map(({ cell }) => cell);
  const runs = await inTurn(done, async (cell) => ({
    before: await read(beforeOf(startOf(grid, cell), grid)),
    after: await read(join(cell.folder, 'eval')),
  }));
  const changes = new Map<GridMeasure, GridChange>();
  for (const [name, task] of runs.length > 0 ? tasks : []) {
    const own = measures.filter((measure) => measure.task === name);
    const asked = own.map(({ group, metric }) => ({ group, metric: metric.name }));
    const found = await scoreChanges(task, asked, runs, grid.eval.limit);
    for (const [i, measure] of own.entries()) changes.set(measure, found[i] as GridChange);
  }
  return {
    base,
    method,
    seeds: done.map(({ seed }) => seed),
    changes: runs.length > 0 ? measures.map((measure) => changes.get(measure) as GridChange) : [],
    missing: results.flatMap(({ cell, found }) => (found?.status === 'done' ? [] : [missing(cell, found)])),
  };
}

function missing({ seed }: Cell, found: CellResult | undefined): string {
  if (!found) return `seed ${seed}: not run yet`;
  const { code, message, path } = found.fault ?? { code: 'grid/failed', message: 'failed' };
  return `seed ${seed}: ${message} (${[code, path].filter(Boolean).join(', ')})`;
}
