import { Command } from 'commander';
import { raise } from '../../../base/index.ts';
import { planText, timeText } from '../plan-text.ts';
import { reportTraining, watchTraining } from '../report.ts';
import type { Verb } from '../verb.ts';
import { examples } from '../verb.ts';

export const trainVerb: Verb = (session) =>
  new Command('train')
    .description('train what a recipe describes')
    .argument('<recipe>', 'a system of `tessera recipes`, or a YAML file')
    .argument(
      '[overrides...]',
      'key=value; `tessera recipes options` lists every key; train.KEY here stands above what stages say of it',
    )
    .option(
      '--dry-run',
      'check the recipe and its inputs, show the plan, its memory and the time of some steps, without training',
    )
    .option('--resume', 'go on with the run folder of the recipe when there is one')
    .addHelpText(
      'after',
      examples('train llava', 'train llava train.batch=16 train.steps=500', 'train llava-1.5 lora.r=16 --dry-run'),
    )
    .action(async (name: string, overrides: string[], options: { dryRun?: boolean; resume?: boolean }) => {
      const { loadPlan, missingInputs } = await import('../../../recipe/index.ts');
      const { foretellMemory, formatMemory, trainPlan } = await import('../../../run/index.ts');
      const plan = loadPlan(name, overrides);
      raise(missingInputs(plan));
      if (options.dryRun) {
        const memory = await session.watch((hooks) => foretellMemory(plan, { resume: options.resume === true }, hooks));
        const parts = memory.map(async (stage) => [stage.stage, await formatMemory(stage), timeText(stage)].join('\n'));
        const text = [planText(plan), ...(await Promise.all(parts))].join('\n\n');
        return session.result({ recipe: plan.resolved, memory }, () => text);
      }
      const result = await watchTraining(session, `resume ${plan.output.folder}`, (hooks) =>
        trainPlan(plan, { resume: options.resume === true }, hooks),
      );
      await reportTraining(session, result);
    });
