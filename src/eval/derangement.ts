import type { Random } from '../base/index.ts';
import { TesseraError } from '../base/index.ts';

/** @throws TesseraError `eval/too-few-pictures` for fewer than a blind run needs */
export function requireImages(count: number): void {
  if (count >= 2) return;
  throw new TesseraError({
    code: 'eval/too-few-pictures',
    message: 'a blind run shows each question the image of another, so it needs two images at least',
    expected: 'at least 2 images',
    got: `${count}`,
    remedy: 'raise the limit or switch the blind run off',
  });
}

/**
 * Gives every element another one's place: a random permutation without fixed points, a single cycle over all elements
 * (Sattolo's algorithm).
 * @throws TesseraError `eval/too-few-pictures` when there are fewer than two.
 */
export function derange<T>(elements: readonly T[], random: Random): Map<T, T> {
  requireImages(elements.length);
  const shuffled = [...elements];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = random.int(0, i);
    [shuffled[i], shuffled[j]] = [shuffled[j] as T, shuffled[i] as T];
  }
  return new Map(elements.map((element, i) => [element, shuffled[i] as T]));
}
