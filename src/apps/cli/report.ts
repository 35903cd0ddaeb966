import type { EvalResult, TrainResult } from '../../recipe/index.ts';
import type { Session } from './session.ts';
import { exitCodes, Stopped } from './session.ts';
import { duration, figure } from './terminal/progress.ts';
import { table } from './terminal/table.ts';

/**
 * Prints how a training ended.
 * @throws Stopped after an interrupted one, having said how to go on.
 */
export function reportTraining(session: Session, result: TrainResult): void {
  if (result.status === 'interrupted') {
    session.result(result, () => `stopped and saved; go on with: tessera resume ${result.folder}`);
    throw new Stopped(exitCodes.interrupted);
  }
  session.result(result, () =>
    [
      stageTable(result),
      ...(result.eval ? [evalTable(result.eval)] : []),
      `talk to it: tessera chat ${result.folder}`,
    ].join('\n\n'),
  );
}

function stageTable({ stages }: TrainResult): string {
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

/** Every number with its interval, beside the blind run where there was one. */
export function evalTable({ rows, report }: EvalResult): string {
  const text = table(
    [
      { title: 'task' },
      { title: 'metric' },
      { title: 'value', align: 'right' },
      { title: '95% interval', align: 'right' },
      { title: 'blind', align: 'right' },
      { title: 'count', align: 'right' },
    ],
    rows.map((row) => [
      row.task,
      row.metric,
      row.value.toFixed(3),
      `${row.low.toFixed(3)}-${row.high.toFixed(3)}`,
      row.blind === undefined ? '' : row.blind.toFixed(3),
      `${row.count}`,
    ]),
  );
  return report ? `${text}\n\nreport: ${report}` : text;
}
