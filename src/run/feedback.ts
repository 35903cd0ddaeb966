import { resolve, sep } from 'node:path';
import { TesseraError } from '../base/index.ts';
import type { Outcome } from '../data/index.ts';
import {
  beginPairSet,
  builders,
  type Judge,
  openPairSet,
  type PairFolder,
  recordOf,
  reportOf,
  type Sampled,
} from '../feedback/index.ts';
import { version } from '../files/index.ts';
import { createResponder, loadForGeneration, type Responded, type Responder } from '../generate/index.ts';
import { type ModelPlace, modelPlace } from '../models/index.ts';
import type { FeedbackPlan, Plan } from '../recipe/index.ts';
import { locate } from '../recipe/index.ts';
import { openEngine } from '../runtime/index.ts';
import { claimRun } from './claim.ts';
import { judgeSettings, openJudge } from './feedback-judge.ts';
import { type PairQuestion, type PairQuestions, readQuestions } from './feedback-questions.ts';
import { modelName, weightsOf } from './feedback-weights.ts';
import type { FeedbackResult, Hooks } from './types.ts';
import { drawImages, refuseStopped } from './world-cache.ts';

/** Questions that are answered, judged and written together; the same however often the work is stopped. */
const GROUP = 16;

/**
 * Makes the pair set of a recipe, or goes on with it: samples answers, has them judged and builds pairs.
 * @throws TesseraError `feedback/…`, and what the model, the data or the judge cannot do
 */
export async function makePairs(plan: Plan, hooks: Hooks): Promise<FeedbackResult> {
  const { feedback } = plan;
  if (!feedback?.from) throw feedback ? noModel() : noSection(plan);
  const place = modelPlace(locate(feedback.from), feedback.adapter && locate(feedback.adapter));
  const set = beginPairSet(feedback.folder, settingsOf(feedback, place));
  const over = reportOf(set);
  if (over) {
    hooks.log.info(`the pair set in ${set.path} is finished; nothing is left to do`);
    return { folder: set.path, status: 'done', report: over };
  }
  const release = claimRun(set);
  try {
    return await fillPairs(set, feedback, hooks);
  } finally {
    release();
  }
}

async function fillPairs(set: PairFolder, plan: FeedbackPlan, hooks: Hooks): Promise<FeedbackResult> {
  const asked = await readQuestions(plan, hooks);
  const { questions, report } = asked;
  if (questions.length === 0) report.check();
  const open = openPairSet(
    set,
    questions.map(({ id }) => id),
    GROUP,
  );
  const show = () => {
    const { pairs, rejects } = open.counts;
    const [done, total] = [open.done, questions.length];
    hooks.progress({ label: 'feedback', done, total, unit: 'questions', numbers: { pairs, refused: rejects } });
  };
  const work = await openWork(set, plan, asked, hooks);
  try {
    show();
    while (open.done < questions.length) {
      const group = questions.slice(open.done, open.done + GROUP);
      const records = await groupRecords(group, open.done, work, plan, asked, hooks);
      open.add(records, new Map(group.flatMap(({ name, image }) => (name === image ? [] : [[name, image]]))));
      show();
    }
  } catch (error) {
    if (!hooks.signal.aborted) throw error;
    return { folder: set.path, status: 'interrupted', done: open.done, questions: questions.length };
  } finally {
    await work.close();
  }
  const rows = { read: questions.length + report.rejected, asked: questions.length, reasons: report.reasons };
  if (open.counts.pairs === 0) hooks.log.warn('no pair was made; the report says why');
  const of = { builder: plan.builder, judge: work.judge.name, model: modelName(plan), rows };
  return { folder: set.path, status: 'done', report: open.finish(of) };
}

interface Work {
  readonly responder: Responder;
  readonly judge: Judge;
  close(): Promise<void>;
}

async function openWork(set: PairFolder, plan: FeedbackPlan, { scenes }: PairQuestions, hooks: Hooks): Promise<Work> {
  const judge = await openJudge(plan, { set, scenes, hooks });
  const engine = await openEngine({ log: hooks.log });
  const { from, adapter, temperature, topP, seed } = plan;
  const parts = await loadForGeneration(locate(from as string), engine, {
    adapter: adapter === undefined ? undefined : locate(adapter),
  });
  if (!parts.model.image) throw noEyes(from as string);
  const responder = createResponder({ ...parts, batch: 64, sampling: { temperature, topP, seed } });
  return {
    responder,
    judge,
    async close() {
      await responder.close();
      await judge.close();
    },
  };
}

async function groupRecords(
  group: readonly PairQuestion[],
  from: number,
  { responder, judge }: Work,
  plan: FeedbackPlan,
  { scenes, worlds }: PairQuestions,
  hooks: Hooks,
) {
  const { signal } = hooks;
  refuseStopped(hooks);
  for (const world of worlds) {
    const own = group.filter(({ image }) => image.startsWith(resolve(world) + sep));
    await drawImages(
      world,
      own.map(({ image }) => image),
      { ...hooks, progress: () => {} },
    );
  }
  const sampled = await sampleAnswers(group, from, responder, plan, signal);
  const built = await builders[plan.builder].build(judge, sampled, signal);
  signal.throwIfAborted();
  return sampled.map((question, i) => {
    const { name, image } = group[i] as PairQuestion;
    return recordOf(question, name, built[i] as (typeof built)[number], scenes(image));
  });
}

/** Answers to each question of a group, each from a stream of draws of its own. */
async function sampleAnswers(
  group: readonly PairQuestion[],
  from: number,
  responder: Responder,
  { answers, maxTokens }: FeedbackPlan,
  signal: AbortSignal,
): Promise<Sampled[]> {
  const requests = group.flatMap(({ image, question }, i) =>
    Array.from({ length: answers }, (_, k) => ({
      image,
      prompt: question,
      maxTokens,
      stream: (from + i) * answers + k,
    })),
  );
  const given = await responder.answer(requests, signal);
  return group.map(({ id, image, question }, i) => {
    const own = given.slice(i * answers, (i + 1) * answers);
    const texts = own.map(({ text }) => text);
    return { id, image, question, texts, answers: own.map((answer, k) => usable(answer, texts.slice(0, k), id, k)) };
  });
}

function usable({ text, finish }: Responded, before: readonly string[], id: string, k: number): Outcome<string> {
  const refuse = (code: string, message: string): Outcome<string> => {
    const got = JSON.stringify(text.slice(-60));
    return { refused: { code: `feedback/${code}`, message, path: `question ${id} answer ${k + 1}`, got } };
  };
  if (finish === 'length') return refuse('cut', 'the answer is longer than max_tokens');
  if (text === '') return refuse('empty', 'the model answers nothing');
  if (before.includes(text)) return refuse('same-answer', 'the model has given this answer to the question before');
  return { kept: text };
}

/** What a pair set is made with; what only says how a judge is reached is no part of it. */
function settingsOf({ folder: _, judge, ...feedback }: FeedbackPlan, place: ModelPlace) {
  return {
    format: 'tessera-pairs',
    version: 1,
    tessera: version(),
    group: GROUP,
    ...feedback,
    judge: judgeSettings(judge),
    weights: weightsOf(place),
  };
}

function noSection({ name }: Plan): TesseraError {
  return new TesseraError({
    code: 'feedback/no-section',
    message: 'the recipe does not say how pairs are made',
    path: name,
    expected: 'a section feedback',
    remedy: 'see `tessera recipes options`',
  });
}

function noModel(): TesseraError {
  return new TesseraError({
    code: 'feedback/no-model',
    message: 'the recipe does not say whose answers are judged',
    path: 'feedback.from',
    expected: 'a run or model folder',
    remedy: 'set feedback.from, or model.from',
  });
}

function noEyes(path: string): TesseraError {
  return new TesseraError({
    code: 'feedback/no-eyes',
    message: 'pairs are made of answers about images, and this model sees none',
    path,
    expected: 'a model with an image encoder',
  });
}
