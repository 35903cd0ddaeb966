import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { asTesseraError, TesseraError } from '../../base/index.ts';
import { makeFolder, parseJson, readText, writeTextAtomically } from '../../files/index.ts';
import { modelPlace } from '../../models/index.ts';
import { formatRecipe, type Grid, locate, type Plan } from '../../recipe/index.ts';
import { digestOf } from '../digest.ts';
import { weightsOf } from '../feedback-weights.ts';
import type { Cell, Start } from './cells.ts';

/** What a cell is made in, in this order. */
export const phases = ['pairs', 'training', 'evaluation'] as const;

const result = z.object({
  /** Digest of all that decides what comes out. */
  settings: z.string(),
  status: z.enum(['done', 'failed']),
  /** Seconds of each part of the work, since it was last begun. */
  seconds: z.partialRecord(z.enum(phases), z.number()),
  /** Why it failed. */
  fault: z.object({ code: z.string(), message: z.string(), path: z.string().optional() }).optional(),
});

/** How a cell ended: `cell.json`. */
export type CellResult = z.infer<typeof result>;

/** What a cell came to; undefined where it is not over. */
export function cellResult({ folder }: Cell): CellResult | undefined {
  const file = join(folder, 'cell.json');
  if (!existsSync(file)) return undefined;
  const read = result.safeParse(parseJson(readText(file, { code: 'grid/cell' }), { file, area: 'grid' }));
  if (read.success) return read.data;
  const expected = 'a result as `tessera grid` writes it';
  throw asTesseraError(read.error, {
    code: 'grid/cell',
    path: file,
    expected,
    remedy: 'remove the folder of the cell',
  });
}

export function saveCell({ folder }: Cell, found: CellResult): void {
  makeFolder(folder);
  writeTextAtomically(join(folder, 'cell.json'), `${JSON.stringify(found, null, 2)}\n`);
}

/** A digest of the plan of a cell, of the weights that it begins with and of what is asked. */
export function settingsOf(plan: Plan, start: Start, { eval: asked }: Grid): string {
  return digestOf([formatRecipe(plan.resolved), weightsAt(start), asked]);
}

/** Where the evaluation of a base goes: another place for other weights and other questions. */
export function beforeOf(start: Start, { folder, eval: asked }: Grid): string {
  return join(folder, 'before', `${start.place}-${digestOf([weightsAt(start), asked]).slice(0, 8)}`);
}

const weightsAt = ({ folder }: Start) => weightsOf(modelPlace(locate(folder)));

/**
 * Whether a cell is finished, as the grid file has it now.
 * @throws TesseraError `grid/other-settings` where it was finished with other settings
 */
export function isFinished(cell: Cell, found: CellResult | undefined, settings: () => string): boolean {
  if (found?.status !== 'done') return false;
  if (found.settings === settings()) return true;
  throw new TesseraError({
    code: 'grid/other-settings',
    message: 'the cell was made with another recipe, other weights or other questions than the grid file says now',
    path: cell.folder,
    remedy: 'name another folder with --out, or remove that of the cell',
  });
}
