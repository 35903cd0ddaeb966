import { amberTask } from './amber.ts';
import { altTextTask, captionsTask } from './coco.ts';
import { corpusTask } from './corpus.ts';
import { drawingTask } from './drawing.ts';
import { labelledCaptionsTask } from './labelled.ts';
import { instructionsTask, textInstructionsTask } from './llava.ts';
import { newWordsTask } from './new-words.ts';
import { popeTask } from './pope.ts';
import { vqaTask } from './vqa.ts';
import type { TrainingFile, WorldTaskRecord } from './writer.ts';

const table = {
  captions: captionsTask,
  'labelled-captions': labelledCaptionsTask,
  'alt-text': altTextTask,
  instructions: instructionsTask,
  'text-instructions': textInstructionsTask,
  'new-words': newWordsTask,
  drawing: drawingTask,
  vqa: vqaTask,
  pope: popeTask,
  amber: amberTask,
  corpus: corpusTask,
} satisfies Record<string, WorldTaskRecord>;

/** What can be written about the scenes; images and scene records are always written. */
export type WorldTask = keyof typeof table;

/** Those whose rows a model can be trained on. */
export type TrainingTask = {
  [T in WorldTask]: (typeof table)[T] extends { readonly training: TrainingFile } ? T : never;
}[WorldTask];

export const worldTaskTable: Readonly<Record<WorldTask, WorldTaskRecord>> = table;

export const worldTasks = Object.keys(table) as WorldTask[];

export const trainingTasks = worldTasks.filter((task) => worldTaskTable[task].training) as TrainingTask[];

/** The file that training reads for a task; its format is known by name, so that readers are asked for no other. */
export function trainingFile(task: TrainingTask): TrainingFile & (typeof table)[TrainingTask]['training'] {
  return table[task].training;
}
