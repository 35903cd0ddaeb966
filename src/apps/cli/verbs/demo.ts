import { Command } from 'commander';
import type { Score } from '../../../eval/index.ts';
import type { DemoEvent, DemoResult, Hooks } from '../../../run/index.ts';
import { closingText, eventText, type Sheet } from '../demo-text.ts';
import { reportTraining, stageTable, watchTraining } from '../report.ts';
import { exitCodes, Stopped } from '../session.ts';
import { coloursOf } from '../terminal/image.ts';
import { table } from '../terminal/table.ts';
import type { Verb } from '../verb.ts';
import { examples } from '../verb.ts';

export const demoVerb: Verb = (session) =>
  new Command('demo')
    .description('show a trained model, train a small one, and see what it has learnt')
    .argument('[overrides...]', 'key=value of the recipe that is trained, as for train')
    .option('--verbose', 'also print sizes, memory and losses')
    .addHelpText('after', examples('demo', 'demo --verbose', 'demo --json'))
    .action(async (overrides: string[], { verbose = false }: { verbose?: boolean }) => {
      const { runDemo } = await import('../../../run/index.ts');
      const result = await watchTraining(session, 'demo', async (hooks) => {
        const telling = teller(hooks, process.stderr);
        const own = verbose ? hooks : { ...hooks, log: { ...hooks.log, info: () => {} } };
        const done = await runDemo({ overrides, tell: telling.tell }, own);
        await telling.told();
        return done;
      });
      if (result.training.status === 'interrupted') return reportTraining(session, result.training);
      const text = session.json ? '' : await endText(result, verbose);
      const summary = session.json ? await demoSummary(result) : {};
      session.result(summary, () => text);
      if (session.signal.aborted) throw new Stopped(exitCodes.interrupted);
    });

/** Writes events one after another; drawing takes the reading of a file. */
function teller({ log }: Hooks, stream: NodeJS.WriteStream) {
  let before: Promise<void> = Promise.resolve();
  return {
    tell: (event: DemoEvent) => {
      before = before.then(async () => log.info(await eventText(event, sheetOf(stream))));
    },
    told: () => before,
  };
}

function sheetOf(stream: NodeJS.WriteStream): Sheet {
  return {
    colours: coloursOf(stream),
    width: Math.min(100, stream.columns || 80),
    decode: async (path) => (await import('../../../data/index.ts')).decodeImage(path),
  };
}

async function endText(result: DemoResult, verbose: boolean): Promise<string> {
  const { training } = result;
  const { arrow, formatScores, keyScores } = await import('../../../eval/index.ts');
  const evaluation = training.eval?.evaluation;
  const scores = evaluation ? (verbose ? formatScores(evaluation) : scoresText(keyScores(evaluation), arrow)) : '';
  return [...(verbose ? [stageTable(training)] : []), closingText(result, scores, sheetOf(process.stdout))].join(
    '\n\n',
  );
}

/** The one score that stands for each task, beside what is reached where every image is another one. */
function scoresText(scores: readonly Score[], arrow: (metric: Score['metric']) => string): string {
  const right = (title: string) => ({ title, align: 'right' as const });
  const figure = (value: number | null | undefined) => value?.toFixed(2) ?? '–';
  return table(
    [{ title: 'measured' }, right('score'), right('wrong image'), { title: 'what it is' }],
    scores.map(({ task, group, metric, result: { sighted, blind } }) => [
      [task.toUpperCase(), group, `${metric.label}${arrow(metric)}`]
        .filter((word) => word !== 'all' && !metric.label.startsWith(word))
        .join(' '),
      figure(sighted.value),
      figure(blind?.value),
      metric.describe,
    ]),
  );
}

/** The numbers of the demo as one object. */
async function demoSummary({ training, ...rest }: DemoResult): Promise<object> {
  const { summarise } = await import('../../../eval/index.ts');
  const { stages, eval: evaluated, folder } = training;
  const scores = evaluated ? { ...summarise(evaluated.evaluation), report: evaluated.report } : {};
  return { ...scores, stages, folder, ...rest };
}
