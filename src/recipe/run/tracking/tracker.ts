import { type Evaluation, headlines } from '../../../eval/index.ts';
import type { Answered } from '../samples.ts';
import { type EventFile, openEventFile } from './event-file.ts';

/** What training shows in TensorBoard. Steps count through all stages, so that one chart follows another. */
export interface Tracker {
  /** Numbers of a step, as `<stage>/<name>`. */
  scalars(stage: string, step: number, values: Readonly<Record<string, number>>): void;
  answers(stage: string, step: number, answers: readonly Answered[]): void;
  /** The headline scores, as `eval/<task>/<group>/<metric>`. */
  evaluation(step: number, evaluation: Evaluation): void;
}

/**
 * @param past steps that the run had done when its checkpoint was written; what is on show of later ones is dropped.
 * Undefined for a new run.
 */
export function openTracker(folder: string, recipe: string, past?: number): Tracker {
  let file: EventFile | undefined;
  // Made with the first event: a run whose data cannot be read leaves no folder behind.
  const open = () => {
    file ??= begin(folder, recipe, past);
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
    evaluation(step, evaluation) {
      open().add(step, { kind: 'scalars', values: headlineScalars(evaluation) });
    },
  };
}

function begin(folder: string, recipe: string, past: number | undefined): EventFile {
  const file = openEventFile(folder, past === undefined ? 0 : past + 1);
  if (past === undefined) file.add(0, { kind: 'text', tag: 'recipe', markdown: indented(recipe) });
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
