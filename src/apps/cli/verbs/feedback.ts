import { Command } from 'commander';
import { raise } from '../../../base/index.ts';
import { command } from '../called.ts';
import { watchTraining } from '../report.ts';
import { exitCodes, Stopped } from '../session.ts';
import type { Verb } from '../verb.ts';
import { examples } from '../verb.ts';

export const feedbackVerb: Verb = (session) =>
  new Command('feedback')
    .description('make pairs of answers for training, out of what a model answers and a judge says of it')
    .argument('<recipe>', 'a system of `tessera recipes`, or a YAML file, with a section feedback')
    .argument('[overrides...]', 'key=value, as for train; the same command goes on after a stop')
    .addHelpText('after', examples('feedback rlhf-v', 'feedback silkie feedback.from=runs/llava feedback.count=200'))
    .action(async (name: string, overrides: string[]) => {
      const { loadPlan, missingFeedbackInputs } = await import('../../../recipe/index.ts');
      const { makePairs } = await import('../../../run/index.ts');
      const plan = loadPlan(name, overrides);
      raise(missingFeedbackInputs(plan));
      const again = ['feedback', name, ...overrides].join(' ');
      const result = await watchTraining(session, again, (hooks) => makePairs(plan, hooks));
      if (result.status === 'interrupted') {
        const { done, questions } = result;
        session.result(result, () => `stopped at ${done} of ${questions} questions; go on with: ${command(again)}`);
        throw new Stopped(exitCodes.interrupted);
      }
      const { reportText } = await import('../../../feedback/index.ts');
      session.result(result, () => `${reportText(result.report)}\nwrote ${result.folder}`);
    });
