import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { TesseraError } from '../base/index.ts';
import { type Asks, checkTasks, requireImages, tasksAsk, tasksOpenTo, usualTasks } from '../eval/index.ts';
import type { Plan } from '../recipe/index.ts';
import { planOfRun, resultOf, runFolder } from './folder.ts';
import type { EvalOptions } from './types.ts';

/** An evaluation with nothing left open. */
export interface Asked extends EvalOptions {
  readonly tasks: readonly string[];
  /** Where its results go. */
  readonly out: string;
}

/**
 * Fills in what an evaluation leaves open: tasks and limit are those of the run's recipe, or else all that the model can be
 * put to. The limit of a recipe counts images of the tabletop world, so it is not taken over to other data.
 *
 * The results stand in the run folder itself only when they are what its recipe asks for, at least: the same images and
 * limit, no task left out, the weights as they were saved, blind run and all. Anything else goes to a folder of its own
 * below `evals`, in the run or, for a model that is no run, in the working directory, and leaves the run's scores alone.
 *
 * @param able what the model can do
 * @throws TesseraError `eval/out`, `eval/against`, `eval/unknown-task`, `eval/cannot`, `eval/too-few-pictures`, and the faults of the run's recipe
 */
export function settleAsked(folder: string, options: EvalOptions, able: ReadonlySet<Asks>): Asked {
  if (options.tasks) checkTasks(options.tasks);
  const plan = existsSync(runFolder(folder).recipe) ? planOfRun(folder) : undefined;
  const limit = options.limit ?? (options.data === undefined ? plan?.eval.limit : undefined);
  const tasks = options.tasks ?? plan?.eval.tasks ?? [];
  const asked = {
    ...options,
    tasks: tasks.length > 0 ? [...new Set(tasks)] : usualTasks(able),
    ...(limit !== undefined && { limit }),
  };
  refuseBeyond(folder, asked.tasks, tasksOpenTo(able));
  if (asked.blind && limit !== undefined) requireImages(limit);
  const out = options.out ?? placeOf(folder, asked, plan);
  if (asked.against !== undefined) refuseToCompare(asked.against, asked.tasks, out);
  return { ...asked, out };
}

function refuseToCompare(against: string, asked: readonly string[], out: string): void {
  if (resolve(out) === resolve(against)) throw overItself(out);
  const searches = asked.filter((task) => tasksAsk([task]).has('searches'));
  if (searches.length === 0) return;
  throw new TesseraError({
    code: 'eval/against',
    message: 'searches leave no answers that others could be compared with',
    path: against,
    expected: 'tasks that ask for answers',
    got: searches.join(', '),
    remedy: 'name others with --tasks',
  });
}

function overItself(out: string): TesseraError {
  return new TesseraError({
    code: 'eval/out',
    message: 'the results would replace those that they are compared with',
    path: out,
    expected: 'another folder',
    remedy: 'name another --out, or leave it out',
  });
}

function refuseBeyond(folder: string, asked: readonly string[], can: readonly string[]): void {
  const beyond = asked.filter((task) => !can.includes(task));
  if (beyond.length === 0) return;
  throw new TesseraError({
    code: 'eval/cannot',
    message: `the model cannot be put to ${beyond.join(', ')}`,
    path: folder,
    expected: `some of ${can.join(', ')}`,
    got: beyond.join(', '),
  });
}

type Settled = Omit<Asked, 'out'>;

function placeOf(folder: string, asked: Settled, plan: Plan | undefined): string {
  if (plan && isOfRecipe(asked, plan) && resultOf(runFolder(folder))) return folder;
  return plan ? join(folder, 'evals', nameOf(asked)) : join('evals', basename(resolve(folder)), nameOf(asked));
}

function isOfRecipe(
  { tasks, limit, blind, data, quantize, adapter, template, system, against }: Settled,
  { eval: own }: Plan,
): boolean {
  const whole = own.tasks.every((task) => tasks.includes(task));
  return (
    whole &&
    limit === own.limit &&
    blind &&
    data === undefined &&
    (quantize ?? adapter ?? template ?? system ?? against) === undefined
  );
}

/** One name for the same question: `pope-vqa-limit-100-int4`. */
function nameOf({ tasks, limit, blind, data, quantize, adapter, template, system, against }: Settled): string {
  const said =
    system === undefined ? undefined : `system-${createHash('sha256').update(system).digest('hex').slice(0, 8)}`;
  const [where, beside, prompt, other] = [data, adapter, template, against].map((path) =>
    path?.replace(/[^\w.]+/g, '-').replace(/^[-.]+|[-.]+$/g, ''),
  );
  const parts = [
    ...[...tasks].sort(),
    limit && `limit-${limit}`,
    where,
    beside,
    prompt,
    said,
    quantize,
    !blind && 'sighted',
    other && `against-${other}`,
  ];
  return parts.filter(Boolean).join('-');
}
