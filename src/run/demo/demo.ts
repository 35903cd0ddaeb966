import { existsSync } from 'node:fs';
import { formatFault } from '../../base/index.ts';
import { packaged } from '../../files/index.ts';
import { loadForGeneration } from '../../generate/index.ts';
import type { Plan } from '../../recipe/index.ts';
import { loadPlan } from '../../recipe/index.ts';
import { type Engine, openEngine } from '../../runtime/index.ts';
import { buildParts } from '../parts.ts';
import { trainPlan } from '../train.ts';
import type { Hooks } from '../types.ts';
import { ask, askEach, modelInTraining } from './answers.ts';
import { demoFolder } from './folder.ts';
import { actSeconds, stepsBefore, wholeProgress } from './progress.ts';
import { openQuizzes, type Quiz } from './questions.ts';
import type { DemoAnswer, DemoOptions, DemoResult } from './types.ts';

/** Trained by the recipe of the same name, and committed. */
const TRAINED = 'assets/tabletop-llava';
const BASE = 'runs/demo';
/** How often the model that is trained is asked on the way. */
const LOOKS = 6;

/**
 * Shows a trained LLaVA, trains another on the tabletop world, and measures what it has learnt. Goes on with an unfinished
 * demo; one that is over, or anything else in its folder, stays as it is, and the new one goes to a folder beside it.
 */
export async function runDemo({ overrides, tell }: DemoOptions, hooks: Hooks): Promise<DemoResult> {
  const began = performance.now();
  const place = demoFolder(BASE, (folder) => planFor(folder, overrides));
  const plan = planFor(place.folder, overrides);
  const times = actSeconds(plan);
  tell({ kind: 'welcome', seconds: times });
  const engine = await openEngine({ log: hooks.log });
  const quizzes = await openQuizzes({ ...hooks, progress: () => {} });
  tell({ kind: 'act', act: 1, seconds: times[0] });
  const shown = await showTrained(engine, quizzes.shown, tell, hooks);
  tell({ kind: 'act', act: 2, seconds: times[1] });
  tell({ kind: 'folder', ...place });
  const quiz = quizzes.shown.at(-1) as Quiz;
  const { training, before } = await trainInView(plan, place.goesOn, engine, quiz, tell, hooks);
  const result = { training, shown, image: quiz.image, before };
  if (training.status === 'interrupted') return { ...result, answers: [], seconds: since(began) };
  const after = await unlessStopped(hooks, async () =>
    askEach(await loadForGeneration(place.folder, engine), [quiz, ...quizzes.drawn], hooks),
  );
  const [answers = [], ...drawn] = after ?? [];
  const right = drawn.filter((each) => each.every((answer) => answer.right)).length;
  return {
    ...result,
    answers,
    ...(after && { drawn: { images: drawn.length, right } }),
    seconds: since(began),
  };
}

/** What work gives; undefined where its user wanted no more of it. */
async function unlessStopped<T>({ signal }: Hooks, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

const since = (began: number) => (performance.now() - began) / 1000;

/** A quarter of the recipe's steps, on shorter rows with few descriptions, which take half the time. */
const SHORTER = [
  'stages.align.train.steps=80',
  'stages.look.train.steps=220',
  'stages.look.data.0.kinds.detail=0',
  'stages.look.data.0.turns=[2,4]',
  'stages.instruct.train.steps=120',
  'stages.instruct.data.0.kinds.detail=0.1',
  'stages.instruct.data.0.turns=[1,5]',
  'stages.instruct.data.1.scenes=1000',
  'stages.instruct.data.1.turns=[1,5]',
];

/** The recipe of the demo, shortened, with looks at the model on the way. */
function planFor(folder: string, overrides: readonly string[]): Plan {
  const own = [...SHORTER, ...overrides, `output.folder=${folder}`];
  const plain = loadPlan('llava', own);
  const every = Math.max(1, Math.ceil(stepsBefore(plain, plain.stages.length) / LOOKS));
  return loadPlan('llava', [`train.eval_every=${every}`, ...own]);
}

/**
 * The first three images, a question each, answered by the trained model that comes with the package. A package without
 * it says so, and shows the other acts.
 */
async function showTrained(
  engine: Engine,
  quizzes: readonly Quiz[],
  tell: DemoOptions['tell'],
  hooks: Hooks,
): Promise<readonly DemoAnswer[]> {
  const chosen = quizzes.slice(0, 3).map(({ image, questions }, i) => ({
    image,
    questions: questions.slice(i, i + 1),
  }));
  const folder = packaged(TRAINED);
  if (!existsSync(folder)) {
    const fault = { code: 'demo/no-model', message: 'the trained model is missing, so this act cannot be shown' };
    hooks.log.warn(formatFault({ ...fault, path: folder, remedy: 'install the package again' }));
    return [];
  }
  const answers = await ask(await loadForGeneration(folder, engine), chosen, hooks);
  for (const [i, { image }] of chosen.entries()) {
    tell({ kind: 'shown', image, answer: answers[i] as DemoAnswer });
  }
  return answers;
}

/** Trains and evaluates, and asks about one image before the first step and on the way. */
async function trainInView(
  plan: Plan,
  goesOn: boolean,
  engine: Engine,
  quiz: Quiz,
  tell: DemoOptions['tell'],
  hooks: Hooks,
) {
  const parts = await buildParts(plan, async () => []);
  const steps = stepsBefore(plan, plan.stages.length);
  const told = (done: number, answers: readonly DemoAnswer[]) => {
    tell({ kind: 'answers', done, steps, image: quiz.image, answers });
    return answers;
  };
  const before = told(0, await ask(modelInTraining(engine, plan, parts, parts), [quiz], hooks));
  const watching: Hooks = {
    ...hooks,
    progress: wholeProgress(plan, hooks),
    look: async (at) => {
      const stage = plan.stages.findIndex(({ name }) => name === at.stage);
      const model = modelInTraining(engine, plan, parts, at);
      const answers = await unlessStopped(hooks, () => ask(model, [quiz], hooks));
      if (answers) told(stepsBefore(plan, stage) + at.step, answers);
    },
    trained: () => tell({ kind: 'act', act: 3, seconds: actSeconds(plan)[2] }),
  };
  return { before, training: await trainPlan(plan, { resume: goesOn }, watching) };
}
