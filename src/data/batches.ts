import { Random, TesseraError } from '../base/index.ts';

/** Which examples each optimizer or forward step takes, for ever. */
export interface BatchPlan {
  readonly stepsPerEpoch: number;
  /** Indices of the examples of a step counted from 0 over all epochs. */
  at(step: number): readonly number[];
}

/**
 * Batches of a fixed number of examples, each example once an epoch; the last batch of an epoch may be smaller. The order
 * of an epoch depends on the seed and its number alone, so a run can begin anywhere without replaying what came before.
 * With `lengths`, examples of like length come together: the shuffled order is cut into stretches of 50 batches, each
 * stretch is sorted by length and cut into batches, and the batches are shuffled again.
 */
export function planBatches(options: {
  readonly count: number;
  readonly batch: number;
  readonly seed: number;
  readonly lengths?: ArrayLike<number>;
}): BatchPlan {
  const { count, batch, seed, lengths } = options;
  needPositive('count', count);
  needPositive('batch', batch);
  return plan(Math.ceil(count / batch), (epoch) => {
    const random = new Random(seed, 'batches', epoch);
    const order = random.shuffle(Array.from({ length: count }, (_, i) => i));
    if (!lengths) return chunk(order, batch);
    const sorted = chunk(order, 50 * batch).map((stretch) => byLength(stretch, lengths));
    const batches = sorted.flatMap((stretch) => chunk(stretch, batch));
    return random.shuffle(batches);
  });
}

/**
 * Cuts a batch into its shorter and its longer examples, so that the larger of the two, padding included, is as small as
 * it can be; a single example stays alone.
 */
export function halve<T>(examples: readonly T[], lengthOf: (example: T) => number): (readonly T[])[] {
  if (examples.length < 2) return [examples];
  const lengths = examples.map(lengthOf);
  const sorted = byLength([...examples.keys()], lengths).map((i) => examples[i] as T);
  const padded = (part: readonly T[]) => part.length * lengthOf(part.at(-1) as T);
  const cuts = Array.from(
    { length: sorted.length - 1 },
    (_, i) => [sorted.slice(0, i + 1), sorted.slice(i + 1)] as const,
  );
  const larger = (cut: (typeof cuts)[number]) => Math.max(...cut.map(padded));
  return [...cuts.reduce((a, b) => (larger(b) < larger(a) ? b : a))];
}

function plan(stepsPerEpoch: number, orderOf: (epoch: number) => number[][]): BatchPlan {
  let known: { epoch: number; batches: number[][] } | undefined;
  return {
    stepsPerEpoch,
    at(step) {
      const epoch = Math.floor(step / stepsPerEpoch);
      if (known?.epoch !== epoch) known = { epoch, batches: orderOf(epoch) };
      return known.batches[step - epoch * stepsPerEpoch] as number[];
    },
  };
}

function chunk<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/** Shortest first; equal lengths keep their order. */
function byLength(indices: readonly number[], lengths: ArrayLike<number>): number[] {
  return [...indices].sort((a, b) => (lengths[a] as number) - (lengths[b] as number));
}

function needPositive(name: string, value: number): void {
  if (Number.isInteger(value) && value > 0) return;
  throw new TesseraError({ code: 'batch/plan', message: `${name} is no positive integer`, got: `${value}` });
}
