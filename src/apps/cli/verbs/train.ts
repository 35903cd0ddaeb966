import { Command } from 'commander';
import { raise } from '../../../base/index.ts';
import type { Plan } from '../../../recipe/index.ts';
import { reportTraining, watchTraining } from '../report.ts';
import { table } from '../terminal/table.ts';
import type { Verb } from '../verb.ts';
import { examples } from '../verb.ts';

export const trainVerb: Verb = (session) =>
  new Command('train')
    .description('train what a recipe describes')
    .argument('<recipe>', 'a system of `tessera recipes`, or a YAML file')
    .argument('[overrides...]', 'key=value; `tessera recipes options` lists every key')
    .option('--dry-run', 'check the recipe and its inputs, show the plan and the memory it takes, without training')
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
        const tables = await Promise.all(memory.map(formatMemory));
        const text = memory.map(({ stage }, i) => `${stage}\n${tables[i]}`);
        return session.result({ recipe: plan.resolved, memory }, () => [planText(plan), ...text].join('\n\n'));
      }
      const result = await watchTraining(session, `tessera resume ${plan.output.folder}`, (hooks) =>
        trainPlan(plan, { resume: options.resume === true }, hooks),
      );
      await reportTraining(session, result);
    });

function planText(plan: Plan): string {
  const rows = plan.stages.map((stage) => [
    stage.name,
    stage.objective,
    'steps' in stage.train.length ? `${stage.train.length.steps} steps` : `${stage.train.length.epochs} epochs`,
    `${stage.train.batch * stage.train.accumulate}`,
    `${stage.train.lr}`,
    stage.lora ? `rank ${stage.lora.r}` : '',
    stage.trainable.join(' '),
  ]);
  const titles = ['stage', 'objective', 'length', 'batch', 'lr', 'adapters', 'trainable'];
  return `${plan.system} -> ${plan.output.folder}\n\n${table(
    titles.map((title) => ({ title })),
    rows,
  )}`;
}
