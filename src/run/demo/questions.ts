import { join } from 'node:path';
import { isUnclear, judgeDescription, normaliseAnswer, parseYesNo } from '../../eval/index.ts';
import { imageName, readScenes, type Scene } from '../../world/index.ts';
import type { Hooks } from '../types.ts';
import { cachedWorld } from '../world-cache.ts';
import type { DemoAnswer, DemoImage } from './types.ts';

/** A question about a scene that knows which answers are right. */
export interface DemoQuestion {
  readonly text: string;
  readonly truth: string;
  judge(answer: string): Pick<DemoAnswer, 'right' | 'covers'>;
}

/** An image with its questions. */
export interface Quiz {
  readonly image: DemoImage;
  readonly questions: readonly DemoQuestion[];
}

/** Images that are shown, and images of which the right answers are counted. */
export interface Quizzes {
  readonly shown: readonly Quiz[];
  readonly drawn: readonly Quiz[];
}

const SCENES = 24;
const SHOWN = 4;
const DRAWN = 10;

/**
 * Scenes of a split and seed that no training reads. Those that are shown are the first with three things or more; those
 * that are counted the first of all others.
 */
export async function openQuizzes(hooks: Hooks): Promise<Quizzes> {
  const folder = await cachedWorld({ seed: 2, split: 'val', count: SCENES, tasks: [] }, hooks);
  const scenes = await readScenes(folder);
  const shown = scenes.filter(({ objects }) => objects.length >= 3).slice(0, SHOWN);
  const drawn = scenes.filter((scene) => !shown.includes(scene)).slice(0, DRAWN);
  const quiz = (scene: Scene): Quiz => ({
    image: { path: join(folder, 'images', imageName(scene)), truth: thingsOf(scene) },
    questions: questionsAbout(scene),
  });
  return { shown: shown.map(quiz), drawn: drawn.map(quiz) };
}

/** What is in it, whether a star is, and how many things are. */
export function questionsAbout(scene: Scene): DemoQuestion[] {
  const star = scene.objects.some(({ shape }) => shape === 'star');
  const count = scene.objects.length;
  return [
    {
      text: 'What is in the image?',
      truth: thingsOf(scene),
      judge: (answer) => {
        const { correct, covers } = judgeDescription(answer, scene);
        return { right: correct, ...(covers && { covers }) };
      },
    },
    {
      text: 'Is there a star in the image?',
      truth: star ? 'yes' : 'no',
      judge: (answer) => ({ right: !isUnclear(answer) && parseYesNo(answer) === (star ? 'yes' : 'no') }),
    },
    {
      text: 'How many objects are on the table?',
      truth: `${count}`,
      judge: (answer) => ({ right: numbersIn(answer).join() === `${count}` }),
    },
  ];
}

/** Digits and number words, as digits. */
function numbersIn(answer: string): string[] {
  return normaliseAnswer(answer).match(/\b\d+\b/g) ?? [];
}

/** "a small red striped ball, a large blue cube", by their attributes. */
function thingsOf({ objects }: Scene): string {
  return objects
    .map(({ size, color, pattern, shape }) => [size, color, pattern === 'solid' ? '' : pattern, shape])
    .map((words) => words.filter(Boolean).join(' '))
    .join(', ');
}
