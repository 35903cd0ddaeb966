import { runStage } from '../train/index.ts';
import type { PreparedStage } from './prepare.ts';
import type { StageTime } from './types.ts';
import type { StageUnderWay } from './under-way.ts';

/** Steps that are timed behind the first, which builds what the others use. */
const TIMED = 4;
/** Seconds after which no further step is timed, and after which the one under way is given up. */
const ENOUGH = 4;
const LONGEST = 60;

/**
 * Times the first steps of a stage; with a rate of zero, so that they leave the parameters as they are.
 * @param whole whether the stage is known with all its rows, and so with its number of steps
 */
export async function timeSteps(
  job: Pick<StageUnderWay, 'engine' | 'stage'>,
  prepared: PreparedStage,
  whole: boolean,
  stopped: AbortSignal,
): Promise<StageTime> {
  const { loaded, settings, ...rest } = prepared;
  const abort = new AbortController();
  const began = performance.now();
  const giveUp = setTimeout(() => abort.abort(), 1000 * LONGEST);
  const ends: number[] = [];
  const few = {
    ...settings,
    lr: 0,
    lrFor: [],
    weightDecay: 0,
    steps: Math.min(settings.steps, 1 + TIMED),
    evalEvery: 0,
    saveEvery: 0,
  };
  const { engine, stage } = job;
  try {
    await runStage(
      {
        ...rest,
        settings: few,
        name: stage.name,
        engine,
        model: loaded.model,
        store: loaded.store,
        recompute: stage.train.recompute,
      },
      {
        signal: AbortSignal.any([abort.signal, stopped]),
        onStep: async () => {
          ends.push(performance.now());
          if (ends.length > 1 && performance.now() - began > 1000 * ENOUGH) abort.abort();
        },
        onSave: () => {},
        onEvaluate: async () => {},
      },
    );
  } finally {
    clearTimeout(giveUp);
  }
  stopped.throwIfAborted();
  const steps = settings.steps;
  const length = whole || 'steps' in stage.train.length ? { steps } : {};
  return { ...length, ...perStep(ends, began) };
}

/** Seconds of a step: the mean of those behind the first; the first alone, where there is no other, is longer than most. */
function perStep(ends: readonly number[], began: number): Pick<StageTime, 'perStep' | 'timed' | 'bound'> {
  const [first, last] = [ends[0], ends.at(-1)];
  if (first === undefined || last === undefined) return { perStep: LONGEST, timed: 0, bound: 'at least' };
  if (ends.length === 1) return { perStep: (first - began) / 1000, timed: 1, bound: 'at most' };
  return { perStep: (last - first) / 1000 / (ends.length - 1), timed: ends.length - 1, bound: 'about' };
}
