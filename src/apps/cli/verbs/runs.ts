import { existsSync } from 'node:fs';
import { Command } from 'commander';
import type { Comparison } from '../../../eval/index.ts';
import type { Verb } from '../verb.ts';
import { examples, noSuchVerb, verbMeant } from '../verb.ts';

export const runsVerb: Verb = (session) => {
  const runs = new Command('runs')
    .description('list training runs, or compare some of them')
    .argument('[folders...]', 'run folders, or folders that hold some; runs when none is given')
    .addHelpText('after', examples('runs', 'runs compare runs/llava runs/llava-lora --html compare.html'))
    .action(async (folders: string[], _, command: Command) => {
      const [first] = folders;
      if (first !== undefined && !existsSync(first) && verbMeant(command, first)) throw noSuchVerb(command, first);
      const { listRuns } = await import('../../../run/index.ts');
      const found = await listRuns(folders.length > 0 ? folders : ['runs']);
      const { listText } = await import('../runs-text.ts');
      session.result(found, () => listText(found, Date.now()));
    });
  runs
    .command('compare <runs...>')
    .description('show where the recipes of runs differ, what each reached and how their losses fell')
    .option('--html <file>', 'also write a page with the curves drawn over each other')
    .addHelpText(
      'after',
      examples('runs compare runs/a runs/b', 'runs compare runs/a runs/b runs/c --html compare.html'),
    )
    .action(async (folders: string[], { html }: { html?: string }) => {
      const { compareRuns } = await import('../../../run/index.ts');
      const comparison = await compareRuns(folders);
      const page = html === undefined ? undefined : await writePage(html, comparison);
      const { comparisonText } = await import('../runs-text.ts');
      session.result({ ...comparison, ...(page !== undefined && { page }) }, () =>
        [comparisonText(comparison), ...(page === undefined ? [] : [`wrote ${page}`])].join('\n\n'),
      );
    });
  return runs;
};

async function writePage(file: string, comparison: Comparison): Promise<string> {
  const { writeComparison } = await import('../../../eval/index.ts');
  return writeComparison(file, comparison);
}
