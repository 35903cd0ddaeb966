import { TesseraError } from '../base/index.ts';
import { bootstrap, bootstrapDifference } from './metrics/bootstrap.ts';
import { signTest } from './metrics/sign-test.ts';
import type { Tally } from './metrics/tally.ts';
import { sumTallies } from './metrics/tally.ts';
import type { Flips, MetricResult, TaskResult } from './results.ts';
import type { Benchmark, Verdict } from './tasks/task.ts';

/** An item: a question or a search, with the image that it is about. */
interface About {
  readonly image: string;
  readonly prompt: string;
}

/** Verdicts by run; the model's own with each question's image are always there. */
export interface Verdicts<I> {
  readonly sighted: ReadonlyMap<I, Verdict>;
  readonly blind?: ReadonlyMap<I, Verdict>;
  /** Another model's. */
  readonly against?: ReadonlyMap<I, Verdict>;
}

interface Resampling {
  readonly seed: number;
  readonly resamples: number;
}

/** @throws TesseraError `eval/empty` */
export function requireItems({ name }: Benchmark, items: readonly unknown[], limit: number | undefined): void {
  if (items.length > 0) return;
  throw new TesseraError({
    code: 'eval/empty',
    message: 'the task has no questions',
    path: name,
    expected: 'at least one question',
    got: limit === undefined ? 'none in its files' : `none in the first ${limit} images`,
  });
}

/** What a task came to, from the verdicts on its items. */
export function summariseTask<I extends About>(
  task: Benchmark,
  items: readonly I[],
  verdicts: Verdicts<I>,
  asked: Pick<TaskResult, 'prompt' | 'decoding'>,
  options: Resampling,
): TaskResult {
  const { name, describe, metrics, curves } = task;
  const { sighted, blind, against } = verdicts;
  const seen = [...sighted.values()].flatMap((verdict) => Object.keys(verdict.tallies));
  const groups = [...new Set([...task.groups, ...seen])].filter((group) => seen.includes(group));
  return {
    task: name,
    describe,
    ...asked,
    pictures: new Set(items.map((item) => item.image)).size,
    questions: items.length,
    metrics,
    ...(curves && { curves }),
    groups: Object.fromEntries(
      groups.map((group) => {
        const tallies = (run: ReadonlyMap<I, Verdict>) => clusters(run, items, group);
        const others = [blind && tallies(blind), against && tallies(against)] as const;
        return [group, groupResults(task, tallies(sighted), others, options)];
      }),
    ),
    ...(against && { flips: countFlips(sighted, against) }),
  };
}

/** One tally an image, in the order of the items' own images. */
export function clusters<I extends About>(
  verdicts: ReadonlyMap<I, Verdict>,
  items: readonly I[],
  group: string,
): Tally[] {
  const byImage = new Map<string, Tally[]>();
  for (const item of items) {
    const tally = verdicts.get(item)?.tallies[group];
    if (!tally) continue;
    const known = byImage.get(item.image);
    if (known) known.push(tally);
    else byImage.set(item.image, [tally]);
  }
  return [...byImage.values()].map(sumTallies);
}

function groupResults(
  task: Benchmark,
  sighted: readonly Tally[],
  [blind, against]: readonly [readonly Tally[] | undefined, readonly Tally[] | undefined],
  options: Resampling,
): Record<string, MetricResult> {
  const score = (sum: Tally) => task.score(sum);
  const seeing = bootstrap(sighted, score, options);
  const others = {
    blind: blind && bootstrap(blind, score, options),
    difference: blind && bootstrapDifference(sighted, blind, score, options),
    against: against && bootstrap(against, score, options),
    change: against && bootstrapDifference(sighted, against, score, options),
  };
  return Object.fromEntries(
    Object.entries(seeing).map(([name, estimate]) => {
      const beside = Object.entries(others).flatMap(([key, values]) => (values?.[name] ? [[key, values[name]]] : []));
      return [name, { sighted: estimate, ...Object.fromEntries(beside) }];
    }),
  );
}

/** Answers that changed, each question once however many groups or splits it belongs to. */
function countFlips<I extends About>(now: ReadonlyMap<I, Verdict>, before: ReadonlyMap<I, Verdict>): Flips {
  const once = new Map([...now.keys()].map((item) => [JSON.stringify([item.image, item.prompt]), item]));
  const changed = [...once.values()].filter((item) => now.get(item)?.correct !== before.get(item)?.correct);
  const better = changed.filter((item) => now.get(item)?.correct).length;
  const worse = changed.length - better;
  return { questions: once.size, better, worse, p: signTest(better, worse) };
}
