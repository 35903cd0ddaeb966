import { Command } from 'commander';
import type { CellOutlook, GridResult } from '../../../run/index.ts';
import { command } from '../called.ts';
import { watchTraining } from '../report.ts';
import { exitCodes, Stopped } from '../session.ts';
import { duration } from '../terminal/progress.ts';
import { table } from '../terminal/table.ts';
import type { Verb } from '../verb.ts';
import { examples, wholeIn } from '../verb.ts';

interface GridFlags {
  cells?: number;
  out?: string;
  dryRun?: boolean;
}

export const gridVerb: Verb = (session) =>
  new Command('grid')
    .description('run every method on every base with every seed, and write one table of what changed')
    .argument('<file>', 'a grid file, such as recipes/grids/alignment.yaml')
    .argument('[overrides...]', 'key=value of every cell, above those of the file')
    .option('--dry-run', 'show the cells and about how long each takes, by those that are done, without running any')
    .option('--cells <n>', 'stop after so many cells; the same command goes on with the others', wholeIn(1, 1e6))
    .option('--out <folder>', 'in the place of the folder that the file names')
    .addHelpText(
      'after',
      examples('grid recipes/grids/alignment.yaml', 'grid recipes/grids/alignment.yaml --cells 5 --out runs/first'),
    )
    .action(async (file: string, overrides: string[], { cells, out, dryRun }: GridFlags) => {
      const { readGrid } = await import('../../../recipe/index.ts');
      const { foretellGrid, runGrid } = await import('../../../run/index.ts');
      const read = readGrid(file, overrides);
      const grid = { ...read, folder: out ?? read.folder };
      if (dryRun) {
        const outlook = await foretellGrid(grid);
        return session.result({ folder: grid.folder, cells: outlook }, () => outlookText(outlook));
      }
      const again = ['grid', file, ...overrides, ...(out === undefined ? [] : ['--out', out])].join(' ');
      const result = await watchTraining(session, again, (hooks) => runGrid(grid, hooks, cells));
      const { gridMarkdown } = await import('../../../eval/index.ts');
      session.result(result, () => `${gridMarkdown(result.table)}\n${endText(result, again)}`);
      if (result.status === 'interrupted' && session.signal.aborted) throw new Stopped(exitCodes.interrupted);
      if (result.failed > 0) throw new Stopped(exitCodes.fault);
    });

function endText({ status, cells, done, failed, folder }: GridResult, again: string): string {
  const counts = `${done} of ${cells} cells are done${failed > 0 ? `, ${failed} failed` : ''}`;
  const next = status === 'interrupted' || failed > 0 ? `; go on with: ${command(again)}` : '';
  return `${counts}${next}\nwrote ${folder}`;
}

function outlookText(outlook: readonly CellOutlook[]): string {
  const columns = ['base', 'method', 'seed', 'status', 'time'].map((title) => ({ title }));
  const rows = outlook.map(({ base, method, seed, status, seconds }) => {
    const time = seconds === undefined ? '' : `${status === 'done' ? '' : 'about '}${duration(seconds)}`;
    return [base, method, `${seed}`, status, time];
  });
  const open = outlook.filter(({ status }) => status !== 'done');
  const left = open.reduce<number | undefined>(
    (sum, { seconds }) => (sum === undefined || seconds === undefined ? undefined : sum + seconds),
    0,
  );
  const time =
    left === undefined ? 'how long is known once one is done: run it with --cells 1' : `about ${duration(left)}`;
  return `${table(columns, rows)}\n\n${open.length} of ${outlook.length} cells to run${open.length > 0 ? `, ${time}` : ''}`;
}
