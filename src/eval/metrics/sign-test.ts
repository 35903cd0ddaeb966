/**
 * The exact two-sided sign test (McNemar's with the binomial in the place of chi-square; Arbuthnott 1710, McNemar 1947):
 * how likely a split at least as uneven as this one is, were each change as likely to be for the better as for the worse.
 *
 * @param better questions that became right, a whole number from 0.
 * @param worse questions that became wrong.
 * @returns a probability from 0 to 1; 1 where nothing changed.
 */
export function signTest(better: number, worse: number): number {
  const n = better + worse;
  const few = Math.min(better, worse);
  if (better === worse) return 1;
  // The terms fall towards 0 so fast that they are added as shares of the largest.
  let [term, sum] = [1, 1];
  for (let k = few; k > 0; k--) {
    term *= k / (n - k + 1);
    sum += term;
  }
  return Math.min(1, 2 * Math.exp(logBinomial(n, few) - n * Math.LN2) * sum);
}

/** The logarithm of how many ways there are to choose `k` of `n`. */
function logBinomial(n: number, k: number): number {
  let sum = 0;
  for (let i = 1; i <= k; i++) sum += Math.log((n - k + i) / i);
  return sum;
}
