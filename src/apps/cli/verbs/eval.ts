import { Command } from 'commander';
import { evalTable } from '../report.ts';
import type { Verb } from '../verb.ts';
import { commaList, examples, wholeIn } from '../verb.ts';

interface EvalFlags {
  tasks: string[];
  limit?: number;
  blind?: boolean;
  data?: string;
}

export const evalVerb: Verb = (session) =>
  new Command('eval')
    .description('measure how well a model sees and how often it makes things up')
    .argument('<model>', 'a run folder or a Hugging Face folder')
    .option('--tasks <list>', 'pope, chair, vqa', commaList, ['pope', 'chair', 'vqa'])
    .option('--limit <n>', 'questions of each task', wholeIn(1, 1e9))
    .option('--blind', 'also with pictures shuffled, to see what the answers owe to them')
    .option('--data <file>', 'questions of your own in the place of the tabletop world')
    .addHelpText('after', examples('eval runs/llava', 'eval runs/llava --tasks pope,vqa --limit 200 --blind --json'))
    .action(async (folder: string, { blind, ...flags }: EvalFlags) => {
      const { evaluateModel } = await import('../../../recipe/index.ts');
      const options = { ...pick(flags), blind: blind === true };
      const result = await session.watch((hooks) => evaluateModel(folder, options, hooks));
      session.result(result, () => evalTable(result));
    });

/** Leaves the options out that all verbs share. */
function pick({ tasks, limit, data }: EvalFlags) {
  return { tasks, ...(limit !== undefined && { limit }), ...(data !== undefined && { data }) };
}
