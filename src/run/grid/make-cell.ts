import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { asTesseraError, type Fault, raise } from '../../base/index.ts';
import { type Grid, missingFeedbackInputs, missingInputs, type Plan } from '../../recipe/index.ts';
import { evaluateModel } from '../evaluate.ts';
import { makePairs } from '../feedback.ts';
import { trainPlan } from '../train.ts';
import type { Hooks } from '../types.ts';
import { type Cell, planOf, type Start, startOf, trainingOf } from './cells.ts';
import { beforeOf, type CellResult, cellResult, isFinished, saveCell, settingsOf } from './result.ts';

/**
 * Makes a cell: its base, where no folder holds it, pairs, training, and the evaluation against the base. What is there
 * already is left as it is. A fault is kept as the result of the cell.
 * @returns how it ended, with the fault of a cell that failed; an interrupted one goes on with the same call
 */
export async function makeCell(grid: Grid, cell: Cell, hooks: Hooks): Promise<'done' | 'interrupted' | Fault> {
  const seconds: CellResult['seconds'] = {};
  let settings = '';
  try {
    const start = startOf(grid, cell);
    if (!(await openBase(grid, start, hooks))) return 'interrupted';
    const plan = planOf(grid, cell, start);
    settings = settingsOf(plan, start, grid);
    if (!(await makeParts(grid, cell, start, plan, seconds, hooks))) return 'interrupted';
    saveCell(cell, { settings, status: 'done', seconds });
    return 'done';
  } catch (error) {
    if (hooks.signal.aborted) return 'interrupted';
    const fault = asTesseraError(error, { code: 'grid/failed' }).toJSON();
    const { code, message, path } = fault;
    saveCell(cell, { settings, status: 'failed', seconds, fault: { code, message, ...(path && { path }) } });
    return fault;
  }
}

/**
 * Whether a cell needs nothing more.
 * @throws TesseraError `grid/other-settings` where it was made with others than the grid file says now
 */
export function isMade(grid: Grid, cell: Cell): boolean {
  const start = startOf(grid, cell);
  return isFinished(cell, cellResult(cell), () => settingsOf(planOf(grid, cell, start), start, grid));
}

/** The base, trained and evaluated; false where it was stopped. */
async function openBase(grid: Grid, start: Start, hooks: Hooks): Promise<boolean> {
  const training = trainingOf(start);
  if (training) {
    raise(missingInputs(training));
    if ((await trainPlan(training, { resume: true }, hooks)).status === 'interrupted') return false;
  }
  const out = beforeOf(start, grid);
  if (existsSync(join(out, 'eval.json'))) return true;
  await evaluateModel(start.folder, { ...grid.eval, blind: false, out }, hooks);
  return true;
}

/** Pairs, training and evaluation, and how long each took; false where they were stopped. */
async function makeParts(
  grid: Grid,
  { folder }: Cell,
  start: Start,
  plan: Plan,
  seconds: CellResult['seconds'],
  hooks: Hooks,
): Promise<boolean> {
  const timed = async <T>(phase: keyof typeof seconds, work: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    const done = await work();
    seconds[phase] = Math.round((performance.now() - began) / 10) / 100;
    return done;
  };
  if (plan.feedback) {
    raise(missingFeedbackInputs(plan));
    if ((await timed('pairs', () => makePairs(plan, hooks))).status === 'interrupted') return false;
  }
  raise(missingInputs(plan));
  const trained = await timed('training', () => trainPlan(plan, { resume: true }, hooks));
  if (trained.status === 'interrupted') return false;
  const options = { ...grid.eval, blind: false, against: beforeOf(start, grid), out: join(folder, 'eval') };
  await timed('evaluation', () => evaluateModel(plan.output.folder, options, hooks));
  return true;
}
