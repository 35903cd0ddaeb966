import { basename, join } from 'node:path';
import {
  type ChangesOf,
  type GridChange,
  type GridMeasure,
  type GridRow,
  type GridTable,
  gridImage,
  gridMarkdown,
  measureIn,
  openChanges,
  type RecordedChange,
  readRecorded,
  type Task,
} from '../../eval/index.ts';
import { writeTextAtomically } from '../../files/index.ts';
import type { Grid } from '../../recipe/index.ts';
import { openQuestions } from '../evaluate.ts';
import type { Hooks } from '../types.ts';
import { type Cell, cellsOf, startOf } from './cells.ts';
import { beforeOf, type CellResult, cellResult } from './result.ts';

/** What the table of a grid shows, and what it is made of. The table is written after each cell, and all of this once. */
export interface Measured {
  readonly measures: readonly GridMeasure[];
  /** By task, of those that the measures are of. */
  readonly changes: ReadonlyMap<string, ChangesOf>;
  /** The answers of a finished cell, and of its base. */
  runOf(cell: Cell): Promise<RecordedChange>;
}

/**
 * Opens the tasks that a grid asks, which judge recorded answers once more.
 * @throws TesseraError `eval/no-measure`
 */
export async function openMeasures(grid: Grid, hooks: Hooks): Promise<Measured> {
  const { eval: asked, measure, beside } = grid;
  const { tasks } = await openQuestions(asked, false, hooks);
  const byName = new Map(tasks.map((task) => [task.name, task]));
  const changes = new Map<string, ChangesOf>();
  const measures = [measure, ...beside].map(({ task, group, metric }) => {
    const of = byName.get(task) as (typeof tasks)[number];
    const found = measureIn(of, group, metric);
    // What has a measure is a task of answers.
    if (!changes.has(task)) changes.set(task, openChanges(of as Task, asked.limit));
    return { task, group, metric: found };
  });
  const read = once(readRecorded, (folder) => folder);
  // Where the answers of a base are takes a checksum of its weights to tell.
  const runOf = once(
    async (cell: Cell) => ({
      before: await read(beforeOf(startOf(grid, cell), grid)),
      after: await read(join(cell.folder, 'eval')),
    }),
    ({ folder }) => folder,
  );
  return { measures, changes, runOf };
}

/** Work that is done once for each key. */
function once<A, B>(work: (value: A) => Promise<B>, keyOf: (value: A) => string): (value: A) => Promise<B> {
  const known = new Map<string, Promise<B>>();
  return (value) => {
    const found = known.get(keyOf(value)) ?? work(value);
    known.set(keyOf(value), found);
    return found;
  };
}

/** Writes what the grid has come to so far: `grid.json`, `grid.md` and `grid.svg`. */
export async function writeTable(grid: Grid, measured: Measured): Promise<GridTable> {
  const all = cellsOf(grid);
  const row = (cells: readonly Cell[]) => rowOf(cells, measured);
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
async function rowOf(cells: readonly Cell[], { measures, changes: changesOf, runOf }: Measured): Promise<GridRow> {
  const [{ base, method }] = cells as [Cell, ...Cell[]];
  const results = cells.map((cell) => ({ cell, found: cellResult(cell) }));
  const done = results.filter(({ found }) => found?.status === 'done').map(({ cell }) => cell);
  const runs = await inTurn(done, runOf);
  const changes = new Map<GridMeasure, GridChange>();
  for (const [name, changed] of runs.length > 0 ? changesOf : []) {
    const own = measures.filter((measure) => measure.task === name);
    const asked = own.map(({ group, metric }) => ({ group, metric: metric.name }));
    const found = await changed(asked, runs);
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
