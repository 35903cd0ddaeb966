/** Largest |a - b|; infinite when lengths differ or a number is missing. */
export function maxAbsolute(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    const gap = Math.abs((a[i] as number) - (b[i] as number));
    worst = gap > worst || Number.isNaN(gap) ? (Number.isNaN(gap) ? Number.POSITIVE_INFINITY : gap) : worst;
  }
  return worst;
}

/** Largest |a - b| over the largest |b|: the error of a whole tensor relative to its size. */
export function maxRelative(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let scale = 0;
  for (let i = 0; i < b.length; i++) scale = Math.max(scale, Math.abs(b[i] as number));
  return maxAbsolute(a, b) / Math.max(scale, 1e-30);
}
