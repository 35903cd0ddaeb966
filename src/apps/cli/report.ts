import type { EvalResult, Hooks, TrainResult } from '../../run/index.ts';
import { command } from './called.ts';
import type { Session } from './session.ts';
import { exitCodes, Stopped, wasStopped } from './session.ts';
import { duration, figure } from './terminal/progress.ts';
import { table } from './terminal/table.ts';

/**
 * Trains with a progress bar.
 * @param again the verb and words that go on with a training
 * @throws Stopped when it was stopped between its stages or in its evaluation, having said how to go on
 */
export async function watchTraining<T>(
  session: Session,
  again: string,
  work: (hooks: Hooks) => Promise<T>,
): Promise<T> {
  try {
    return await session.watch(work);
  } catch (error) {
    if (!wasStopped(error, session.signal)) throw error;
    session.log.info(`stopped; go on with: ${command(again)}`);
    throw new Stopped(exitCodes.interrupted);
  }
}

/**
 * Prints how a training ended.
 * @throws Stopped after an interrupted one, having said how to go on.
 */
export async function reportTraining(session: Session, result: TrainResult): Promise<void> {
  if (result.status === 'interrupted') {
    session.result(result, () => `stopped and saved; go on with: ${command(`resume ${result.folder}`)}`);
    throw new Stopped(exitCodes.interrupted);
  }
  const parts = [stageTable(result), `wrote ${result.folder}`];
  if (result.eval) parts.splice(1, 0, await evalText(result.eval));
  session.result(result, () => parts.join('\n\n'));
}

export function stageTable({ stages }: TrainResult): string {
  return table(
    [
      { title: 'stage' },
      { title: 'steps', align: 'right' },
      { title: 'time', align: 'right' },
      { title: 'loss', align: 'right' },
      { title: 'trained', align: 'right' },
      { title: 'parameters', align: 'right' },
    ],
    stages.map((stage) => [
      stage.name,
      `${stage.steps}`,
      duration(stage.seconds),
      figure(stage.loss),
      `${stage.trained}`,
      `${stage.parameters}`,
    ]),
  );
}

/** Every score with its interval, beside the blind run where there was one. */
export async function evalText({ evaluation, report }: EvalResult): Promise<string> {
  const { formatScores } = await import('../../eval/index.ts');
  return `${formatScores(evaluation)}\n\nreport: ${report}`;
}
