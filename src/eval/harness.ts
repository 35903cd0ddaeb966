import { Random, TesseraError } from '../base/index.ts';
import type { Answer } from '../data/index.ts';
import { type Recorded, recordedAnswers } from './against.ts';
import { derange } from './derangement.ts';
import type { Evaluation, EvaluationSettings, ItemRecord, TaskResult } from './results.ts';
import { summariseTask } from './summarise.ts';
import type { Item, Task, Verdict } from './tasks/task.ts';

/** One question to a model. */
export interface Request {
  /** Path of an image file. */
  readonly image?: string;
  readonly prompt: string;
  readonly maxTokens: number;
}

/** Whatever answers: a model in memory, a server, a script. The answer must be a function of the request. */
export interface Responder {
  readonly name: string;
  /** Answers in the order of the requests. */
  answer(requests: readonly Request[], signal?: AbortSignal): Promise<readonly Answer[]>;
}

export interface Progress {
  readonly task: string;
  readonly run: ItemRecord['run'];
  /** Requests answered of this pass over the task. */
  readonly done: number;
  readonly total: number;
}

export interface EvaluateOptions {
  /** Version of tessera, for the results. */
  readonly version: string;
  /** Number of images a task; all when absent. */
  readonly limit?: number;
  /** Seeds the shuffle of the blind run and the bootstrap; 0 unless told. */
  readonly seed?: number;
  /** Whether each task also runs with every image replaced by another one; true unless told. */
  readonly blind?: boolean;
  /** Requests a call of the responder; 16 unless told. */
  readonly batch?: number;
  /** 1,000 unless told. */
  readonly resamples?: number;
  /** How the responder picks tokens, for the results; `greedy` unless told. */
  readonly decoding?: string;
  /** The folder of questions and what the weights were rounded to, for the results. */
  readonly data?: string;
  readonly quantize?: string;
  /** Another model's answers to the same questions, which this one is compared with. */
  readonly against?: Recorded;
  /** ISO 8601; now unless told. */
  readonly date?: string;
  /** Called with the images of all questions before the first of them is asked. */
  readonly onImages?: (paths: readonly string[]) => Promise<void>;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** Called with each answer as soon as it is judged. */
  readonly onRecord?: (record: ItemRecord) => void;
}

/** One pass over a task's items, each with the image it is shown. */
interface Run {
  readonly task: Task;
  readonly items: readonly Item[];
  readonly run: ItemRecord['run'];
  readonly shown: (item: Item) => string;
  /** Distinct requests with the items that share them: POPE asks about the same object in every split. */
  readonly requests: ReadonlyMap<string, { readonly request: Request; readonly items: Item[] }>;
  /** What another model's answers came to. */
  readonly against?: ReadonlyMap<Item, Judged>;
}

interface Judged {
  readonly answer: Answer;
  readonly verdict: Verdict;
}

/**
 * Asks a responder every question of the tasks, once with the image and once *blind*, with the images dealt anew so
 * that no question keeps its own: what a model scores blind it owes to its language alone. All tasks are loaded before
 * the first question.
 *
 * @throws TesseraError `eval/empty` for a task without items, `eval/responder` for a wrong number of answers,
 *   `eval/interrupted` after `signal` aborts; records given to `onRecord` so far stay valid.
 */
export async function evaluate(
  responder: Responder,
  tasks: readonly Task[],
  options: EvaluateOptions,
): Promise<Evaluation> {
  const { seed = 0, resamples = 1000, decoding = 'greedy', date = new Date().toISOString(), version } = options;
  const settings = settingsOf(tasks, options);
  const plans = [];
  for (const task of tasks) plans.push(planRuns(task, await loadItems(task, options.limit), settings.blind, options));
  await options.onImages?.(imagesOf(plans.flat()));
  const ask = asker(responder, options, totalRequests(plans.flat()));
  const results: TaskResult[] = [];
  for (const [own, shuffled] of plans) {
    const { task, items } = own;
    const verdicts = {
      sighted: await ask(own),
      ...(shuffled && { blind: await ask(shuffled) }),
      ...(own.against && { against: new Map([...own.against].map(([item, { verdict }]) => [item, verdict])) }),
    };
    results.push(summariseTask(task, items, verdicts, decoding, { seed, resamples }));
  }
  const against = options.against?.evaluated;
  return {
    model: responder.name,
    date,
    version,
    seed,
    resamples,
    settings,
    tasks: results,
    ...(against && { against }),
  };
}

function settingsOf(tasks: readonly Task[], options: EvaluateOptions): EvaluationSettings {
  const { limit, blind = true, data, quantize } = options;
  return {
    tasks: tasks.map(({ name }) => name),
    ...(limit !== undefined && { limit }),
    blind,
    ...(data !== undefined && { data }),
    ...(quantize !== undefined && { quantize }),
  };
}

async function loadItems(task: Task, limit: number | undefined): Promise<readonly Item[]> {
  const items = await task.load(limit);
  if (items.length > 0) return items;
  throw new TesseraError({
    code: 'eval/empty',
    message: 'the task has no questions',
    path: task.name,
    expected: 'at least one question',
    got: limit === undefined ? 'none in its files' : `none in the first ${limit} images`,
  });
}

function planRuns(
  task: Task,
  items: readonly Item[],
  blind: boolean,
  { seed = 0, against }: EvaluateOptions,
): readonly [Run] | readonly [Run, Run] {
  const plan = (run: ItemRecord['run'], shown: (item: Item) => string): Run => {
    return { task, items, run, shown, requests: distinctRequests(task, items, shown) };
  };
  const sighted = {
    ...plan('sighted', (item) => item.image),
    ...(against && { against: judgeRecorded(against, task, items) }),
  };
  if (!blind) return [sighted];
  const images = [...new Set(items.map((item) => item.image))];
  const other = derange(images, new Random(seed, 'blind', task.name));
  return [sighted, plan('blind', (item) => other.get(item.image) as string)];
}

function judgeRecorded(against: Recorded, task: Task, items: readonly Item[]): Map<Item, Judged> {
  const answers = recordedAnswers(against, task, items);
  return new Map([...answers].map(([item, answer]) => [item, { answer, verdict: item.judge(answer) }]));
}

function distinctRequests(task: Task, items: readonly Item[], shown: (item: Item) => string): Run['requests'] {
  const requests = new Map<string, { request: Request; items: Item[] }>();
  for (const item of items) {
    const request = { image: shown(item), prompt: item.prompt, maxTokens: task.maxTokens };
    const key = JSON.stringify(request);
    const known = requests.get(key);
    if (known) known.items.push(item);
    else requests.set(key, { request, items: [item] });
  }
  return requests;
}

/** Every image that is shown, once. */
function imagesOf(runs: readonly Run[]): string[] {
  return [...new Set(runs.flatMap(({ items, shown }) => items.map(shown)))];
}

function totalRequests(runs: readonly Run[]): number {
  return runs.reduce((sum, run) => sum + run.requests.size, 0);
}

function asker(responder: Responder, options: EvaluateOptions, total: number) {
  const { batch = 16, signal, onProgress, onRecord } = options;
  let done = 0;
  return async (run: Run): Promise<Map<Item, Verdict>> => {
    const verdicts = new Map<Item, Verdict>();
    const queue = [...run.requests.values()];
    for (let at = 0; at < queue.length; at += batch) {
      const slice = queue.slice(at, at + batch);
      const answers = await askBatch(responder, slice, signal, `${done} of ${total} questions answered`);
      slice.forEach(({ items }, i) => {
        for (const item of items) {
          const answer = answers[i] as Answer;
          const verdict = item.judge(answer);
          verdicts.set(item, verdict);
          onRecord?.(toRecord(run, item, answer, verdict));
        }
      });
      done += slice.length;
      onProgress?.({ task: run.task.name, run: run.run, done: at + slice.length, total: queue.length });
    }
    return verdicts;
  };
}

async function askBatch(
  responder: Responder,
  slice: readonly { readonly request: Request }[],
  signal: AbortSignal | undefined,
  progress: string,
): Promise<readonly Answer[]> {
  const requests = slice.map(({ request }) => request);
  try {
    signal?.throwIfAborted();
    const answers = await responder.answer(requests, signal);
    if (answers.length === requests.length) return answers;
    throw new TesseraError({
      code: 'eval/responder',
      message: 'the responder must give one answer to each request',
      path: responder.name,
      expected: `${requests.length} answers`,
      got: `${answers.length}`,
    });
  } catch (error) {
    if (!signal?.aborted) throw error;
    const fault = { code: 'eval/interrupted', message: 'the evaluation was stopped', got: progress };
    throw new TesseraError(fault, { cause: error });
  }
}

function toRecord(
  { task, run, shown, against }: Run,
  item: Item,
  { text: answer, boxes }: Answer,
  verdict: Verdict,
): ItemRecord {
  const { id, image, prompt, truth } = item;
  const { correct, covers, read, invented } = verdict;
  const other = against?.get(item);
  return {
    task: task.name,
    run,
    id,
    picture: image,
    shown: shown(item),
    prompt,
    answer,
    ...(boxes && { boxes }),
    read,
    truth,
    correct,
    ...(covers && { covers }),
    invented,
    ...(other && { against: besideRecord(other) }),
  };
}

function besideRecord({ answer, verdict: { correct, covers, invented } }: Judged): NonNullable<ItemRecord['against']> {
  return { answer: answer.text, correct, ...(covers && { covers }), invented };
}
