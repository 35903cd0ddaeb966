import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { TesseraError } from '../base/index.ts';
import { loadForGeneration, openConversation } from '../generate/index.ts';
import type { Plan } from '../recipe/index.ts';
import { loadPlan } from '../recipe/index.ts';
import { openEngine } from '../runtime/index.ts';
import { imageName, readScenes, shapesOf } from '../world/index.ts';
import { evaluationScenes } from './evaluate.ts';
import { isRunOf, runFolder } from './folder.ts';
import { trainPlan } from './train.ts';
import type { DemoResult, Hooks } from './types.ts';

const FOLDER = 'runs/demo';

/** Questions that the demo asks about one picture that the model has not seen. */
const QUESTIONS = ['What is in the image?', 'Is there a star in the image?', 'How many objects are on the table?'];

/**
 * Trains the tiny LLaVA of the recipe `llava` on the tabletop world, evaluates it and asks it about a picture. An
 * unfinished demo goes on where it stopped; of a finished one the questions are asked anew. Nothing is removed. Who stops it at the questions gets the answers
 * given so far.
 * @throws TesseraError `demo/folder` for a folder that holds anything but a demo, and leaves it as it is
 */
export async function runDemo(hooks: Hooks): Promise<DemoResult> {
  const began = performance.now();
  const plan = loadPlan('llava', [`output.folder=${FOLDER}`]);
  const resume = begun(plan);
  const training = await trainPlan(plan, { resume }, hooks);
  if (training.status === 'interrupted') return { training, answers: [], seconds: since(began) };
  const picture = await pictureToAsk(plan, hooks);
  const chat = openConversation(await loadForGeneration(FOLDER, await openEngine({ log: hooks.log })));
  const answers = [];
  try {
    for (const question of QUESTIONS) {
      const { text, finish } = await chat.say(
        { text: question, images: [picture.path] },
        { maxTokens: 96, signal: hooks.signal },
      );
      if (finish === 'cancelled') break;
      answers.push({ question, answer: text });
      chat.forget();
    }
  } finally {
    await chat.close();
  }
  return { training, picture, answers, seconds: since(began) };
}

const since = (began: number) => (performance.now() - began) / 1000;

/** Whether there is a demo already, finished or not. */
function begun(plan: Plan): boolean {
  const run = runFolder(FOLDER);
  if (!existsSync(FOLDER) || readdirSync(FOLDER).length === 0) return false;
  if (!isRunOf(run, plan)) {
    throw new TesseraError({
      code: 'demo/folder',
      message: 'the folder of the demo holds something else',
      path: FOLDER,
      expected: 'no such folder, or the run of a demo of this version',
      remedy: 'move it away, or run the demo in another folder',
    });
  }
  return true;
}

/** The first evaluation scene with three kinds of things or more, and what is really on it. */
async function pictureToAsk(plan: Plan, hooks: Hooks) {
  const folder = await evaluationScenes(plan.eval.limit, hooks);
  const scenes = await readScenes(folder);
  const scene = scenes.find((candidate) => shapesOf(candidate).length >= 3) ?? scenes[0];
  if (!scene) return { path: '', truth: [] };
  const truth = scene.objects.map(({ size, color, pattern, shape }) =>
    [size, color, pattern === 'solid' ? '' : pattern, shape].filter(Boolean).join(' '),
  );
  return { path: join(folder, 'images', imageName(scene)), truth };
}
