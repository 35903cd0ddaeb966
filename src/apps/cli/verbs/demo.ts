import { Command } from 'commander';
import type { DemoResult } from '../../../run/index.ts';
import { evalText, reportTraining, stageTable, watchTraining } from '../report.ts';
import { exitCodes, Stopped } from '../session.ts';
import type { Verb } from '../verb.ts';
import { examples } from '../verb.ts';

export const demoVerb: Verb = (session) =>
  new Command('demo')
    .description('train a small LLaVA on the tabletop world, see how well it sees, and ask it about a picture')
    .addHelpText('after', examples('demo', 'demo --json'))
    .action(async () => {
      const { runDemo } = await import('../../../run/index.ts');
      const result = await watchTraining(session, 'tessera demo', runDemo);
      if (result.training.status === 'interrupted') return reportTraining(session, result.training);
      const text = session.json ? '' : await demoText(result);
      const summary = session.json ? await demoSummary(result) : {};
      session.result(summary, () => text);
      if (session.signal.aborted) throw new Stopped(exitCodes.interrupted);
    });

async function demoText({ training, picture, answers, seconds }: DemoResult): Promise<string> {
  const conversation = answers.flatMap(({ question, answer }) => [`  > ${question}`, `  ${answer}`]);
  return [
    stageTable(training),
    ...(training.eval ? [await evalText(training.eval)] : []),
    `Asked about ${picture?.path}\n(really there: ${picture?.truth.join(', ')})\n\n${conversation.join('\n')}`,
    `${Math.round(seconds)} seconds in all. Ask it more: npx tessera chat ${training.folder} --image ${picture?.path}`,
  ].join('\n\n');
}

/** The numbers of the demo as one flat object. */
async function demoSummary({ training, picture, answers, seconds }: DemoResult): Promise<object> {
  const { summarise } = await import('../../../eval/index.ts');
  const { stages, eval: evaluated, folder } = training;
  const scores = evaluated ? { ...summarise(evaluated.evaluation), report: evaluated.report } : {};
  return { seconds, ...scores, stages, folder, picture, answers };
}
