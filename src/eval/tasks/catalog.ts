import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Fault, Named } from '../../base/index.ts';
import { nearest, raise } from '../../base/index.ts';
import { popeSplits, type WorldTask } from '../../world/index.ts';
import { type AmberOptions, amberTask } from './amber.ts';
import { chairTask } from './chair.ts';
import { drawingTask, reconstructionTask } from './drawing.ts';
import { fewShotTask, newWordsTask, type ShotOptions } from './few-shot.ts';
import type { PopeOptions } from './pope.ts';
import { popeTask } from './pope.ts';
import { retrievalTask } from './retrieval.ts';
import type { AnyTask } from './task.ts';
import { vqaTask } from './vqa.ts';

/**
 * What a task asks of a model: answers to questions about an image, with shots in front of them, searches among images and
 * texts, or images.
 */
export type Asks = 'answers' | 'searches' | 'shots' | 'drawings';

/** One evaluation task of the table. */
export interface Entry {
  readonly describe: string;
  readonly asks: Asks;
  /** It takes as long as many others, so that it is only asked where it is named. */
  readonly named?: boolean;
  /** Files of an evaluation folder that the task reads. */
  readonly needs: readonly string[];
  /** What the tabletop world has to write for it, besides images and scenes. */
  readonly world: readonly WorldTask[];
  open(at: (name: string) => string, options: TaskOptions): AnyTask;
}

export interface TaskOptions {
  /** Names of images that will be in the folder once the first question is asked. */
  readonly coming?: readonly string[];
  readonly pope?: PopeOptions;
  readonly amber?: AmberOptions;
  readonly chair?: { readonly prompt?: string; readonly maxTokens?: number };
  readonly shots?: ShotOptions;
  readonly vqa?: { readonly suffix?: string; readonly maxTokens?: number };
}

/** A file of AMBER's repository, by its name in an evaluation folder. */
const amberFile = (name: string) => `amber_${name}`;

/** The evaluation tasks, by their names. */
export const tasks: Named<Entry> = {
  pope: {
    describe: 'is there a ... in the image? (object hallucination, three splits)',
    asks: 'answers',
    needs: ['images', ...popeSplits.map((split) => `pope_${split}.jsonl`)],
    world: ['pope'],
    open: (at, { pope, coming }) => {
      const questions = Object.fromEntries(popeSplits.map((split) => [split, at(`pope_${split}.jsonl`)]));
      return popeTask({ images: at('images'), coming, questions }, pope);
    },
  },
  chair: {
    describe: 'which objects of a description are not there (needs scene graphs)',
    asks: 'answers',
    needs: ['images', 'scenes.jsonl'],
    world: [],
    open: (at, { chair, coming }) => chairTask({ images: at('images'), coming, scenes: at('scenes.jsonl') }, chair),
  },
  amber: {
    describe: 'AMBER: descriptions, and yes/no questions about what is there, how it looks, how many and where',
    asks: 'answers',
    named: true,
    needs: ['images', ...['query_all.json', 'annotations.json', 'relation.json', 'safe_words.txt'].map(amberFile)],
    world: ['amber'],
    open: (at, { amber, coming }) =>
      amberTask(
        {
          images: at('images'),
          coming,
          queries: at(amberFile('query_all.json')),
          annotations: at(amberFile('annotations.json')),
          relation: at(amberFile('relation.json')),
          safeWords: at(amberFile('safe_words.txt')),
        },
        amber,
      ),
  },
  vqa: {
    describe: 'short answers against the ten of each question',
    asks: 'answers',
    needs: ['images', 'vqa_questions.json', 'vqa_annotations.json'],
    world: ['vqa'],
    open: (at, { vqa, coming }) => {
      const files = { questions: at('vqa_questions.json'), annotations: at('vqa_annotations.json') };
      return vqaTask({ images: at('images'), coming, ...files }, vqa);
    },
  },
  'few-shot': {
    describe: 'the questions of vqa with 0, 2, 4 and 8 answered ones in front',
    asks: 'shots',
    named: true,
    needs: ['images', 'vqa_questions.json', 'vqa_annotations.json'],
    world: ['vqa'],
    open: (at, { vqa, coming, shots }) => {
      const files = { questions: at('vqa_questions.json'), annotations: at('vqa_annotations.json') };
      return fewShotTask(vqaTask({ images: at('images'), coming, ...files }, vqa), shots);
    },
  },
  'new-words': {
    describe: 'made-up words, which are learnt from 2, 4 and 8 images in front',
    asks: 'shots',
    named: true,
    needs: ['images', 'new_words.json'],
    world: ['new-words'],
    open: (at, { coming, shots }) =>
      newWordsTask({ images: at('images'), coming, conversations: at('new_words.json') }, shots),
  },
  drawing: {
    describe: 'images for prompts, judged by what is recognised in them (tabletop scenes alone)',
    asks: 'drawings',
    needs: ['images', 'drawing.json'],
    world: ['drawing'],
    open: (at, { coming }) => drawingTask({ images: at('images'), coming, requests: at('drawing.json') }),
  },
  reconstruction: {
    describe: 'images painted again from their codes: what is recognised before and after (tabletop scenes alone)',
    asks: 'drawings',
    needs: ['images', 'drawing.json'],
    world: ['drawing'],
    open: (at, { coming }) => reconstructionTask({ images: at('images'), coming, requests: at('drawing.json') }),
  },
  retrieval: {
    describe: 'the image of each caption among all, and a caption of each image',
    asks: 'searches',
    needs: ['images', 'captions.json'],
    world: ['captions'],
    open: (at, { coming }) => retrievalTask({ images: at('images'), coming, captions: at('captions.json') }),
  },
};

/** The names of the tasks that `openTasks` knows. */
export function taskNames(): string[] {
  return Object.keys(tasks);
}

/** The tasks that a model can be put to, of which it is known what it can do. */
export function tasksOpenTo(able: ReadonlySet<Asks>): string[] {
  return taskNames().filter((name) => able.has((tasks[name] as Entry).asks));
}

/** Those of them that a model is put to where none is named. */
export function usualTasks(able: ReadonlySet<Asks>): string[] {
  return tasksOpenTo(able).filter((name) => !tasks[name]?.named);
}

/** What tasks of these names ask of a model. */
export function tasksAsk(names: readonly string[]): Set<Asks> {
  return new Set(names.map((name) => (tasks[name] as Entry).asks));
}

/** What the tabletop world has to write so that every task can be asked about it. */
export function worldTasksAsked(): WorldTask[] {
  return [...new Set(Object.values(tasks).flatMap(({ world }) => world))];
}

/** @throws TesseraError `eval/unknown-task` for names that no task has, all of them at once */
export function checkTasks(names: readonly string[]): void {
  raise(names.filter((name) => !Object.hasOwn(tasks, name)).map(unknownTask));
}

/**
 * Tasks over an evaluation folder: `images/` with `pope_<split>.jsonl`, `scenes.jsonl`, `vqa_questions.json` and
 * `vqa_annotations.json`, `amber_query_all.json` with AMBER's other files, `captions.json`, `drawing.json`, as far as the tasks need them. A folder of the tabletop world is one.
 * @throws TesseraError `eval/unknown-task`, `eval/missing-file`, all faults at once
 * @example openTasks('data/world-val', ['pope', 'vqa'])
 */
export function openTasks(folder: string, names: readonly string[], options: TaskOptions = {}): readonly AnyTask[] {
  const at = (name: string) => join(folder, name);
  const known = names.filter((name) => Object.hasOwn(tasks, name));
  const needed = new Set(known.flatMap((name) => (tasks[name] as Entry).needs));
  raise([
    ...names.filter((name) => !known.includes(name)).map(unknownTask),
    ...[...needed].filter((file) => !existsSync(at(file))).map((file) => missingFile(at(file))),
  ]);
  return known.map((name) => (tasks[name] as Entry).open(at, options));
}

function unknownTask(name: string): Fault {
  const names = taskNames();
  const near = nearest(name, names);
  return {
    code: 'eval/unknown-task',
    message: 'no task has this name',
    expected: names.join(', '),
    got: name,
    ...(near && { remedy: `did you mean ${near}?` }),
  };
}

function missingFile(path: string): Fault {
  return {
    code: 'eval/missing-file',
    message: 'a task needs a file that is not there',
    path,
    remedy: 'choose a folder that has it, or fewer tasks',
  };
}
