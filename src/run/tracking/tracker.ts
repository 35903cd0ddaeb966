import { type Evaluation, headlines } from '../../eval/index.ts';
import type { Answered } from '../samples.ts';
import { type EventFile, openEventFile } from './event-file.ts';

/** What training shows in TensorBoard. Steps count through all stages, so that one chart follows another. */
export interface Tracker {
  /** Numbers of a step, as `<stage>/<name>`. */
  scalars(stage: string, step: number, values: Readonly<Record<string, number>>): void;
  answers(stage: string, step: number, answers: readonly Answered[]): void;
  /**
   * The headline scores, as `eval/<task>/<group>/<metric>`. They stand one step after those that the run has done, so
   * that they are taken back when it is resumed at its end or evaluated again.
   */
  evaluation(done: number, evaluation: Evaluation): void;
}

/** A new run shows its recipe. One that goes on drops what is on show of steps after those it had done. */
type Start = { readonly recipe: string } | { readonly past: number };

export function openTracker(folder: string, start: Start): Tracker {
  let file: EventFile | undefined;
  // Made with the first event: a run whose data cannot be read leaves no folder behind.
  const open = () => {
    file ??= begin(folder, start);
    return file;
  };
  return {
    scalars(stage, step, values) {
      const tagged = Object.entries(values).map(([name, value]) => [`${stage}/${name}`, value]);
      open().add(step, { kind: 'scalars', values: Object.fromEntries(tagged) });
    },
    answers(stage, step, answers) {
      if (answers.length === 0) return;
      const markdown = answers.map(answerMarkdown).join('\n\n---\n\n');
      open().add(step, { kind: 'text', tag: `${stage}/samples`, markdown });
    },
    evaluation(done, evaluation) {
      open().add(done + 1, { kind: 'scalars', values: headlineScalars(evaluation) });
    },
  };
}

function begin(folder: string, start: Start): EventFile {
  if ('past' in start) return openEventFile(folder, start.past + 1);
  const file = openEventFile(folder, 0);
  file.add(0, { kind: 'text', tag: 'recipe', markdown: indented(start.recipe) });
  return file;
}

function answerMarkdown({ row, held_out, prompt, answer, expected }: Answered): string {
  return [
    `**${row}**${held_out ? '' : ' (trained on)'}`,
    indented(prompt),
    '**answer**',
    indented(answer || '(empty)'),
    '**expected**',
    indented(expected),
  ].join('\n\n');
}

/** As Markdown shows it unchanged. */
function indented(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}

/** A score that is undefined is not shown. */
function headlineScalars(evaluation: Evaluation): Record<string, number> {
  const defined = headlines(evaluation).flatMap(({ task, group, metric, result }): [string, number][] => {
    const { value } = result.sighted;
    return value === null ? [] : [[scoreTag(task, group, metric.name), value]];
  });
  return Object.fromEntries(defined);
}

/** TensorBoard folds tags at slashes, so a group such as `yes/no` gives up its own. */
function scoreTag(task: string, group: string, metric: string): string {
  return ['eval', task, ...(group === 'all' ? [] : [group.replaceAll('/', '-')]), metric].join('/');
}
