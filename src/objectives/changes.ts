/** A run of items that two lists have in common. */
interface Block {
  readonly a: number;
  readonly b: number;
  readonly size: number;
}

/** Shortest run in common that counts as unchanged (RLHF-V's released code). */
const SHORTEST = 3;
/** Length from which items that make up more than a hundredth of a list are no start of a run, as in Python's difflib. */
const LONG = 200;

/**
 * Which items differ between two lists (Yu et al. 2023, RLHF-V, as its code finds them): those between the runs that
 * Ratcliff and Obershelp's matching leaves, where both lists have some there. What is only put in or left out is no change.
 * @returns one flag an item, for each list.
 * @example changedItems([1, 2, 3, 4, 9], [1, 2, 3, 5, 6, 9]) // [0,0,0,1,1] and [0,0,0,1,1,1]: one item in common is no run
 */
export function changedItems(a: ArrayLike<number>, b: ArrayLike<number>): readonly [Uint8Array, Uint8Array] {
  const marks = [new Uint8Array(a.length), new Uint8Array(b.length)] as const;
  const runs = matchingRuns(a, b).filter(({ size }) => size >= SHORTEST);
  let [i, j] = [0, 0];
  for (const run of [...runs, { a: a.length, b: b.length, size: 0 }]) {
    if (run.a > i && run.b > j) {
      marks[0].fill(1, i, run.a);
      marks[1].fill(1, j, run.b);
    }
    [i, j] = [run.a + run.size, run.b + run.size];
  }
  return marks;
}

/** The longest run in common, then the same to its left and to its right; runs that touch are one. */
function matchingRuns(a: ArrayLike<number>, b: ArrayLike<number>): Block[] {
  const places = placesOf(b);
  const found: Block[] = [];
  const open: [number, number, number, number][] = [[0, a.length, 0, b.length]];
  for (let part = open.pop(); part; part = open.pop()) {
    const [fromA, toA, fromB, toB] = part;
    const run = longestRun(a, b, places, part);
    if (run.size === 0) continue;
    found.push(run);
    open.push([fromA, run.a, fromB, run.b], [run.a + run.size, toA, run.b + run.size, toB]);
  }
  found.sort((x, y) => x.a - y.a);
  const runs: Block[] = [];
  for (const run of found) {
    const last = runs.at(-1);
    if (last && last.a + last.size === run.a && last.b + last.size === run.b) {
      runs[runs.length - 1] = { ...last, size: last.size + run.size };
    } else runs.push(run);
  }
  return runs;
}

/** Where each item of a list stands; very frequent ones of a long list are left out. */
function placesOf(b: ArrayLike<number>): Map<number, number[]> {
  const places = new Map<number, number[]>();
  for (let j = 0; j < b.length; j++) {
    const known = places.get(b[j] as number);
    if (known) known.push(j);
    else places.set(b[j] as number, [j]);
  }
  const most = Math.floor(b.length / 100) + 1;
  if (b.length >= LONG) for (const [item, at] of places) if (at.length > most) places.delete(item);
  return places;
}

/** The longest run in common within a part, the first of several; grown by frequent items on both sides. */
function longestRun(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  places: ReadonlyMap<number, readonly number[]>,
  [fromA, toA, fromB, toB]: readonly [number, number, number, number],
): Block {
  let best: Block = { a: fromA, b: fromB, size: 0 };
  let lengths = new Map<number, number>();
  for (let i = fromA; i < toA; i++) {
    const next = new Map<number, number>();
    for (const j of places.get(a[i] as number) ?? []) {
      if (j < fromB || j >= toB) continue;
      const size = (lengths.get(j - 1) ?? 0) + 1;
      next.set(j, size);
      if (size > best.size) best = { a: i - size + 1, b: j - size + 1, size };
    }
    lengths = next;
  }
  let { a: i, b: j, size } = best;
  while (i > fromA && j > fromB && a[i - 1] === b[j - 1]) [i, j, size] = [i - 1, j - 1, size + 1];
  while (i + size < toA && j + size < toB && a[i + size] === b[j + size]) size++;
  return { a: i, b: j, size };
}

/**
 * Weights of an answer's tokens: `gamma` for a changed one, 1 for another; divided by their sum where the log-probability of
 * the answer is an average (Yu et al. 2023, RLHF-V, equation 3).
 */
export function changeWeights(changed: Uint8Array, gamma: number, average: boolean): Float32Array {
  const weights = Float32Array.from(changed, (flag) => (flag === 1 ? gamma : 1));
  if (!average) return weights;
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}
