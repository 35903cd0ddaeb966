import { Command, Option } from 'commander';
import type { Quantization } from '../../../generate/index.ts';
import { evalText } from '../report.ts';
import type { Verb } from '../verb.ts';
import { adapterOption, commaList, examples, quantizeOption, systemOption, templateOption, wholeIn } from '../verb.ts';

interface EvalFlags {
  tasks?: string[];
  limit?: number;
  blind: boolean;
  data?: string;
  quantize?: Quantization;
  adapter?: string;
  template?: string;
  system?: string;
  against?: string;
  out?: string;
}

export const evalVerb: Verb = (session) =>
  new Command('eval')
    .description('measure how well a model sees and how often it makes things up')
    .argument('<model>', 'a run folder or a Hugging Face folder')
    .addOption(
      new Option(
        '--tasks <list>',
        "some of pope, chair, amber, vqa, few-shot, new-words, drawing, reconstruction and retrieval, as a,b; when absent as the run's recipe says, or all that the model can do but those with shots",
      ).argParser(commaList),
    )
    .option('--limit <n>', "images of each task; when absent as the run's recipe says, or all", wholeIn(1, 1e9))
    .option('--no-blind', 'leave out the second run, whose images are shuffled to see what the answers owe to them')
    .option('--data <folder>', 'an evaluation folder of your own in the place of the tabletop world')
    .addOption(quantizeOption())
    .addOption(adapterOption())
    .addOption(templateOption())
    .addOption(systemOption())
    .option(
      '--against <folder>',
      'ask what another evaluation asked, whose results lie there, and show what changed: the paired difference of each ' +
        'score with its interval, and the answers that became right or wrong',
    )
    .option(
      '--out <folder>',
      "for the results; when absent the run folder if this is what the run's recipe asks for, or else a folder of " +
        'their own below evals, in the run folder or here',
    )
    .addHelpText(
      'after',
      examples(
        'eval runs/llava',
        'eval runs/llava --tasks pope,vqa --limit 200 --json',
        'eval runs/llava-1.5-preference --against runs/llava-1.5',
      ),
    )
    .action(async (folder: string, { blind, ...flags }: EvalFlags) => {
      const { evaluateModel } = await import('../../../run/index.ts');
      const options = { ...pick(flags), blind };
      const result = await session.watch((hooks) => evaluateModel(folder, options, hooks));
      const text = session.json ? '' : await evalText(result);
      session.result(result, () => text);
    });

/** Leaves the options out that all verbs share. */
function pick({ tasks, limit, data, quantize, adapter, template, system, against, out }: Omit<EvalFlags, 'blind'>) {
  return {
    ...(tasks !== undefined && { tasks }),
    ...(limit !== undefined && { limit }),
    ...(data !== undefined && { data }),
    ...(quantize !== undefined && { quantize }),
    ...(adapter !== undefined && { adapter }),
    ...(template !== undefined && { template }),
    ...(system !== undefined && { system }),
    ...(against !== undefined && { against }),
    ...(out !== undefined && { out }),
  };
}
