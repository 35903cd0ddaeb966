import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { TesseraError } from '../base/index.ts';
import {
  checkTasks,
  type Evaluation,
  evaluate,
  type ItemRecord,
  openPredictions,
  openTasks,
  type Recorded,
  readRecorded,
  tasksAsk,
  worldTasksAsked,
  writeReport,
} from '../eval/index.ts';
import { version } from '../files/index.ts';
import { type LoadedModel, modelPlace, openModel } from '../models/index.ts';
import type { Plan } from '../recipe/index.ts';
import { formatRecipe, locate } from '../recipe/index.ts';
import { type Engine, openEngine } from '../runtime/index.ts';
import { imageName, shortAnswerPrompt } from '../world/index.ts';
import { type Asked, settleAsked } from './asked.ts';
import { planOfRun, type RunFolder, resultOf, runFolder, stepsOf } from './folder.ts';
import { readMetrics } from './metrics.ts';
import { abilitiesOf, openResponder } from './responder.ts';
import { openTracker } from './tracking/tracker.ts';
import type { EvalOptions, EvalResult, Hooks } from './types.ts';
import { cachedWorld, drawImages } from './world-cache.ts';

/** Scenes that evaluations ask about: never those of training. */
const EVAL_SCENES = 500;
const EVAL_SEED = 1;

/** Evaluates the model that a run has trained, with the tasks of its plan. */
export async function evaluateRun(run: RunFolder, plan: Plan, engine: Engine, hooks: Hooks): Promise<EvalResult> {
  const asked = { ...plan.eval, blind: true, out: run.path };
  const result = await evaluateFolder(run.path, asked, engine, hooks, openModel(modelPlace(run.path)));
  showScores(run, result.evaluation);
  return result;
}

/** Evaluates a run folder or a Hugging Face folder; where the results go, `settleAsked` says. */
export async function evaluateModel(folder: string, options: EvalOptions, hooks: Hooks): Promise<EvalResult> {
  const against = options.against === undefined ? undefined : await readRecorded(options.against);
  // What is misspelt is told before a model is loaded.
  if (options.tasks) checkTasks(options.tasks);
  const loaded = openModel(modelPlace(folder, options.adapter));
  if (!loaded.model.image) throw noEyes(folder);
  const settled = settleAsked(folder, { ...(against && askedOf(against)), ...options }, abilitiesOf(loaded.model));
  const asked = { ...settled, recorded: against };
  const run = runFolder(folder);
  const own = asked.out === folder;
  if (!own && options.out === undefined && existsSync(run.recipe)) {
    hooks.log.info(`the scores of the run stay as they are; the results of this evaluation go to ${asked.out}`);
  }
  const result = await evaluateFolder(folder, asked, await openEngine({ log: hooks.log }), hooks, loaded);
  if (own) showScores(run, result.evaluation);
  return result;
}

/** The same questions as another evaluation asked. */
function askedOf({ settings: { tasks, limit, data } }: Recorded) {
  return { tasks, ...(limit !== undefined && { limit }), ...(data !== undefined && { data }) };
}

/**
 * Shows new scores of a finished run in TensorBoard, in the place of those before. A run that is not over shows what its
 * own process writes.
 */
export function showScores(run: RunFolder, evaluation: Evaluation): void {
  const over = resultOf(run);
  if (!over) return;
  const done = stepsOf(over.stages);
  openTracker(run.tensorboard, { past: done }).evaluation(done, evaluation);
}

async function evaluateFolder(
  folder: string,
  asked: Asked & { readonly recorded?: Recorded | undefined },
  engine: Engine,
  hooks: Hooks,
  loaded: LoadedModel,
): Promise<EvalResult> {
  const { limit, data, quantize, recorded } = asked;
  const asks = tasksAsk(asked.tasks);
  const nearest = loaded.model.look !== undefined;
  if (asks.has('shots') && !nearest) {
    hooks.log.warn('the model has no vector for an image alone: shots are not chosen by the likeness of their images');
  }
  const { folder: questions, tasks } = await openQuestions(asked, nearest, hooks);
  const responder = await openResponder(folder, loaded, { asked, asks, engine, hooks });
  const predictions = openPredictions(asked.out);
  const records: ItemRecord[] = [];
  try {
    const evaluation = await evaluate(responder, tasks, {
      version: version(),
      blind: asked.blind,
      batch: 512,
      ...(limit !== undefined && { limit }),
      ...(data !== undefined && { data }),
      ...(quantize !== undefined && { quantize }),
      ...(recorded && { against: recorded }),
      ...(data === undefined && { onImages: (paths) => drawImages(questions, paths, hooks) }),
      signal: hooks.signal,
      onProgress: ({ task, run, done, total, unit = 'answers' }) => {
        hooks.progress({ label: `${task}${run === 'blind' ? ' (blind)' : ''}`, done, total, unit, numbers: {} });
      },
      onRecord: (record) => {
        records.push(record);
        predictions.add(record);
      },
    });
    predictions.commit(evaluation);
    const report = await writeReport(asked.out, evaluation, { ...reportExtras(folder, asked), records });
    return { evaluation, report };
  } finally {
    predictions.discard();
    await responder.close();
  }
}

/**
 * The tasks of an evaluation and the folder of their images.
 * @param nearest whether shots are chosen by the likeness of their images
 */
export async function openQuestions(
  { tasks, limit, data }: Pick<Asked, 'tasks' | 'limit' | 'data'>,
  nearest: boolean,
  hooks: Hooks,
) {
  const questions = data === undefined ? await evaluationScenes(limit, hooks) : { folder: locate(data) };
  // One-word answers, as LLaVA-1.5 is asked for them.
  const options = {
    ...questions,
    pope: { suffix: shortAnswerPrompt },
    amber: { suffix: shortAnswerPrompt },
    shots: { nearest },
  };
  return { folder: questions.folder, tasks: openTasks(questions.folder, tasks, options) };
}

function noEyes(folder: string): TesseraError {
  return new TesseraError({
    code: 'eval/no-eyes',
    message: 'every evaluation asks about images, and this model sees none',
    path: folder,
    expected: 'a model with an image encoder',
  });
}

/** The folder of scenes that evaluations ask about, and the names of its images; those that are asked about get drawn. */
export async function evaluationScenes(
  limit: number | undefined,
  hooks: Hooks,
): Promise<{ folder: string; coming: string[] }> {
  const count = Math.max(limit ?? EVAL_SCENES, EVAL_SCENES);
  const request = { seed: EVAL_SEED, split: 'val', count, tasks: worldTasksAsked(), popeImages: count } as const;
  const folder = await cachedWorld(request, hooks, 'later');
  return { folder, coming: Array.from({ length: count }, (_, i) => imageName({ image_id: i })) };
}

/** What the report says of a run besides its scores. */
function reportExtras(folder: string, asked: Asked) {
  const run = runFolder(folder);
  const title = basename(resolve(folder));
  const command = evalCommand(folder, asked);
  if (!existsSync(run.recipe)) return { title, command };
  const plan = planOfRun(folder);
  return {
    title,
    command: `tessera train ${run.recipe} output.folder=${join(folder, '..', `${title}-again`)}${asked.out === folder ? '' : `\n${command}`}`,
    recipe: formatRecipe(plan.resolved),
    facts: { system: plan.system },
    losses: readMetrics(run.metrics).flatMap(({ stage, step, loss }) =>
      loss === undefined ? [] : [{ stage, step, loss }],
    ),
    ...(existsSync(run.dataReport) && { data: JSON.parse(readFileSync(run.dataReport, 'utf8')) }),
  };
}

function evalCommand(folder: string, asked: Asked): string {
  const { tasks, limit, blind, data, quantize, adapter, template, system, against } = asked;
  const words = [
    `tessera eval ${folder} --tasks ${tasks.join(',')}`,
    limit !== undefined && `--limit ${limit}`,
    !blind && '--no-blind',
    data !== undefined && `--data ${data}`,
    quantize && `--quantize ${quantize}`,
    adapter && `--adapter ${adapter}`,
    template !== undefined && `--template ${template}`,
    system !== undefined && `--system ${JSON.stringify(system)}`,
    against !== undefined && `--against ${against}`,
  ];
  return words.filter(Boolean).join(' ');
}
