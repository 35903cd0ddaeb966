import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import {
  type Evaluation,
  evaluate,
  type ItemRecord,
  openPredictions,
  openTasks,
  writeReport,
} from '../../eval/index.ts';
import { createResponder, loadForGeneration } from '../../generate/index.ts';
import { type Engine, openEngine } from '../../runtime/index.ts';
import { shortAnswerPrompt } from '../../world/index.ts';
import { formatRecipe } from '../load.ts';
import { locate } from '../place.ts';
import type { Plan } from '../plan.ts';
import { planOfRun, type RunFolder, resultOf, runFolder, stepsOf } from './folder.ts';
import { readMetrics } from './metrics.ts';
import { cachedWorld } from './rows.ts';
import { openTracker } from './tracking/tracker.ts';
import type { EvalOptions, EvalResult, Hooks } from './types.ts';
import { version } from './version.ts';

/** Scenes that evaluations ask about: never those of training. */
const EVAL_SCENES = 500;
const EVAL_SEED = 1;

/** Evaluates the model that a run has trained, with the tasks of its plan. */
export async function evaluateRun(run: RunFolder, plan: Plan, engine: Engine, hooks: Hooks): Promise<EvalResult> {
  const limit = plan.eval.limit;
  const options = { tasks: plan.eval.tasks, blind: true, ...(limit !== undefined && { limit }) };
  return evaluateFolder(run.path, options, engine, hooks);
}

/** Evaluates a run folder or a Hugging Face folder. */
export async function evaluateModel(folder: string, options: EvalOptions, hooks: Hooks): Promise<EvalResult> {
  const result = await evaluateFolder(folder, options, await openEngine({ log: hooks.log }), hooks);
  // What fewer bits make of a run is not what the run has come to.
  if (!options.quantize) showScores(runFolder(folder), result.evaluation);
  return result;
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

async function evaluateFolder(folder: string, options: EvalOptions, engine: Engine, hooks: Hooks): Promise<EvalResult> {
  const { quantize } = options;
  const parts = await loadForGeneration(folder, engine, { quantize });
  const questions = options.data ? locate(options.data) : await evaluationScenes(options.limit, hooks);
  // One-word answers, as LLaVA-1.5 is asked for them.
  const tasks = openTasks(questions, options.tasks, { pope: { suffix: shortAnswerPrompt } });
  const responder = createResponder({
    ...parts,
    name: [basename(folder), quantize].filter(Boolean).join(' '),
    batch: 64,
  });
  const predictions = openPredictions(folder);
  const records: ItemRecord[] = [];
  try {
    const evaluation = await evaluate(responder, tasks, {
      version,
      blind: options.blind,
      batch: 512,
      ...(options.limit !== undefined && { limit: options.limit }),
      signal: hooks.signal,
      onProgress: ({ task, run, done, total }) => {
        hooks.progress({
          label: `${task}${run === 'blind' ? ' (blind)' : ''}`,
          done,
          total,
          unit: 'answers',
          numbers: {},
        });
      },
      onRecord: (record) => {
        records.push(record);
        predictions.add(record);
      },
    });
    predictions.commit(evaluation);
    const report = await writeReport(folder, evaluation, { ...reportExtras(folder), records });
    return { evaluation, report };
  } finally {
    await responder.close();
  }
}

/** The folder of scenes that evaluations ask about. */
export function evaluationScenes(limit: number | undefined, hooks: Hooks): Promise<string> {
  const count = Math.max(limit ?? EVAL_SCENES, EVAL_SCENES);
  return cachedWorld({ seed: EVAL_SEED, split: 'val', count, tasks: ['vqa', 'pope'], popeImages: count }, hooks);
}

/** What the report says of a run besides its scores. */
function reportExtras(folder: string) {
  const run = runFolder(folder);
  const title = basename(folder);
  if (!existsSync(run.recipe)) return { title, command: `tessera eval ${folder}` };
  const plan = planOfRun(folder);
  return {
    title,
    command: `tessera train ${plan.name}`,
    recipe: formatRecipe(plan.resolved),
    facts: { system: plan.system },
    losses: readMetrics(run.metrics).flatMap(({ stage, step, loss }) =>
      loss === undefined ? [] : [{ stage, step, loss }],
    ),
    ...(existsSync(run.dataReport) && { data: JSON.parse(readFileSync(run.dataReport, 'utf8')) }),
  };
}
