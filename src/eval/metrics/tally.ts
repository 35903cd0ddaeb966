/** Counts of one item, one image or a whole test. Every metric is a function of summed counts. */
export type Tally = Readonly<Record<string, number>>;

/** The counts of many tallies together; a count that a tally lacks is zero there. */
export function sumTallies(tallies: Iterable<Tally>): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const tally of tallies) {
    for (const [key, count] of Object.entries(tally)) sum[key] = (sum[key] ?? 0) + count;
  }
  return sum;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** `part / whole`, and NaN (undefined, never zero) where there is nothing to take a share of. */
export function share(part: number, whole: number): number {
  return whole === 0 ? Number.NaN : part / whole;
}
