import { Random, TesseraError } from '../base/index.ts';
import type { Answer } from '../data/index.ts';
import { type Recorded, recordedAnswers } from './against.ts';
import type { EvaluateOptions, Planned, Request, Responder } from './asking.ts';
import { derange } from './derangement.ts';
import type { Evaluation, EvaluationSettings, ItemRecord, TaskResult } from './results.ts';
import { planSearch } from './searches.ts';
import { shotChooser, shotImages } from './shots.ts';
import { requireItems, summariseTask } from './summarise.ts';
import type { AnyTask, Item, Task, Verdict } from './tasks/task.ts';

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
  tasks: readonly AnyTask[],
  options: EvaluateOptions,
): Promise<Evaluation> {
  const { seed = 0, resamples = 1000, date = new Date().toISOString(), version } = options;
  const settings = settingsOf(tasks, options);
  const ask = asker(responder, options, () => plans.reduce((sum, plan) => sum + plan.requests, 0));
  const plans: Planned[] = [];
  for (const task of tasks) {
    const plan = 'pool' in task ? planSearch(task, responder, options) : planTask(task, responder, ask, options);
    plans.push(await plan);
  }
  await options.onImages?.([...new Set(plans.flatMap(({ images }) => images))]);
  const results: TaskResult[] = [];
  for (const plan of plans) results.push(await plan.ask());
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

async function planTask(task: Task, responder: Responder, ask: Asker, options: EvaluateOptions): Promise<Planned> {
  const { blind = true, seed = 0, resamples = 1000, decoding: strategy = 'greedy' } = options;
  const items = await task.load(options.limit);
  requireItems(task, items, options.limit);
  const choose = shotChooser(responder, items, options.signal);
  const runs = planRuns(task, items, blind, options);
  const [own, shuffled] = runs;
  return {
    images: imagesOf(runs),
    requests: runs.reduce((sum, run) => sum + run.requests.size, 0),
    async ask() {
      const verdicts = {
        sighted: await ask(own, choose),
        ...(shuffled && { blind: await ask(shuffled, choose) }),
        ...(own.against && { against: new Map([...own.against].map(([item, { verdict }]) => [item, verdict])) }),
      };
      const { prompt, maxTokens } = task;
      return summariseTask(task, items, verdicts, { prompt, decoding: { strategy, maxTokens } }, { seed, resamples });
    },
  };
}

function settingsOf(tasks: readonly AnyTask[], options: EvaluateOptions): EvaluationSettings {
  const { limit, blind = true, data, quantize } = options;
  return {
    tasks: tasks.map(({ name }) => name),
    ...(limit !== undefined && { limit }),
    blind,
    ...(data !== undefined && { data }),
    ...(quantize !== undefined && { quantize }),
  };
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
  // A prompt that shows no image has none to be hidden.
  if (!blind || task.draws) return [sighted];
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
    const { maxTokens, draws } = task;
    const image = draws === 'prompt' ? {} : { image: shown(item) };
    const request = { ...image, prompt: item.prompt, maxTokens, ...(draws && { draws }) };
    // Shots are of an item alone.
    const key = JSON.stringify([request, item.shots && item.id]);
    const known = requests.get(key);
    if (known) known.items.push(item);
    else requests.set(key, { request, items: [item] });
  }
  return requests;
}

/** Every image that is shown, once. */
function imagesOf(runs: readonly Run[]): string[] {
  return [...new Set(runs.flatMap(({ items, shown }) => items.flatMap((item) => [shown(item), ...shotImages(item)])))];
}

type Asker = (run: Run, choose: ReturnType<typeof shotChooser>) => Promise<Map<Item, Verdict>>;

/** @param total requests of all tasks, known once all are planned */
function asker(responder: Responder, options: EvaluateOptions, total: () => number): Asker {
  const { batch = 16, signal, onProgress, onRecord } = options;
  let done = 0;
  return async (run, choose) => {
    const verdicts = new Map<Item, Verdict>();
    const queue = [...run.requests.values()];
    for (let at = 0; at < queue.length; at += batch) {
      const slice = queue.slice(at, at + batch);
      const requests = await Promise.all(slice.map((entry) => withShots(entry, choose)));
      const answers = await askBatch(responder, requests, signal, `${done} of ${total()} questions answered`);
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

async function withShots(
  { request, items: [item] }: { readonly request: Request; readonly items: readonly Item[] },
  choose: ReturnType<typeof shotChooser>,
): Promise<Request> {
  const shots = item && (await choose(item, request.image as string));
  return shots ? { ...request, shots } : request;
}

async function askBatch(
  responder: Responder,
  requests: readonly Request[],
  signal: AbortSignal | undefined,
  progress: string,
): Promise<readonly Answer[]> {
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
