import { bootstrap, bootstrapDifference } from './metrics/bootstrap.ts';
import { signTest } from './metrics/sign-test.ts';
import type { Tally } from './metrics/tally.ts';
import { sumTallies } from './metrics/tally.ts';
import type { Flips, MetricResult, TaskResult } from './results.ts';
import type { Item, Task, Verdict } from './tasks/task.ts';

/** Verdicts by run; the model's own with each question's image are always there. */
export interface Verdicts {
  readonly sighted: ReadonlyMap<Item, Verdict>;
  readonly blind?: ReadonlyMap<Item, Verdict>;
  /** Another model's. */
  readonly against?: ReadonlyMap<Item, Verdict>;
}

interface Resampling {
  readonly seed: number;
  readonly resamples: number;
}

/** What a task came to, from the verdicts on its items. */
export function summariseTask(
  task: Task,
  items: readonly Item[],
  verdicts: Verdicts,
  strategy: string,
  options: Resampling,
): TaskResult {
  const { name, describe, prompt, maxTokens, metrics } = task;
  const { sighted, blind, against } = verdicts;
  const seen = [...sighted.values()].flatMap((verdict) => Object.keys(verdict.tallies));
  const groups = [...new Set([...task.groups, ...seen])].filter((group) => seen.includes(group));
  return {
    task: name,
    describe,
    prompt,
    decoding: { strategy, maxTokens },
    pictures: new Set(items.map((item) => item.image)).size,
    questions: items.length,
    metrics,
    groups: Object.fromEntries(
      groups.map((group) => {
        const tallies = (run: ReadonlyMap<Item, Verdict>) => clusters(run, items, group);
        const others = [blind && tallies(blind), against && tallies(against)] as const;
        return [group, groupResults(task, tallies(sighted), others, options)];
      }),
    ),
    ...(against && { flips: countFlips(sighted, against) }),
  };
}

/** One tally an image, in the order of the items' own images. */
function clusters(verdicts: ReadonlyMap<Item, Verdict>, items: readonly Item[], group: string): Tally[] {
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
  task: Task,
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
function countFlips(now: ReadonlyMap<Item, Verdict>, before: ReadonlyMap<Item, Verdict>): Flips {
  const once = new Map([...now.keys()].map((item) => [JSON.stringify([item.image, item.prompt]), item]));
  const changed = [...once.values()].filter((item) => now.get(item)?.correct !== before.get(item)?.correct);
  const better = changed.filter((item) => now.get(item)?.correct).length;
  const worse = changed.length - better;
  return { questions: once.size, better, worse, p: signTest(better, worse) };
}
