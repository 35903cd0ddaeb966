import { Command } from 'commander';
import { reportTraining, watchTraining } from '../report.ts';
import type { Verb } from '../verb.ts';
import { examples } from '../verb.ts';

export const resumeVerb: Verb = (session) =>
  new Command('resume')
    .description('go on with a training that was stopped')
    .argument('<run>', 'the run folder')
    .addHelpText('after', examples('resume runs/llava'))
    .action(async (folder: string) => {
      const { resumeRun } = await import('../../../run/index.ts');
      const again = `resume ${folder}`;
      await reportTraining(session, await watchTraining(session, again, (hooks) => resumeRun(folder, hooks)));
    });
