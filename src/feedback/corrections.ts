import type { Correction } from './judge.ts';

/** An answer with its corrections made. */
export function corrected(answer: string, corrections: readonly Correction[]): string {
  return [...corrections]
    .sort((a, b) => b.start - a.start)
    .reduce((text, { start, end, text: right }) => text.slice(0, start) + right + text.slice(end), answer);
}

/**
 * The corrections that make one text of another, by words: the fewest that have to be replaced (the longest common
 * subsequence of words and of what stands between them).
 */
export function correctionsBetween(before: string, after: string): Correction[] {
  const [a, b] = [pieces(before), pieces(after)];
  const lengths = commonLengths(a, b);
  const at = (i: number, j: number) => lengths[i]?.[j] ?? 0;
  const found: { start: number; end: number; text: string }[] = [];
  let [i, j, place] = [0, 0, 0];
  const change = (length: number, text: string) => {
    const last = found.at(-1);
    if (last?.end === place) {
      last.end += length;
      last.text += text;
    } else found.push({ start: place, end: place + length, text });
    place += length;
  };
  while (i < a.length || j < b.length) {
    const [old, fresh] = [a[i], b[j]];
    if (old !== undefined && old === fresh) {
      [i, j, place] = [i + 1, j + 1, place + old.length];
    } else if (fresh === undefined || (old !== undefined && at(i + 1, j) >= at(i, j + 1))) {
      change((old as string).length, '');
      i++;
    } else {
      change(0, fresh);
      j++;
    }
  }
  return joined(found, before);
}

/** Corrections with nothing but white space between them are one. */
function joined(corrections: readonly Correction[], answer: string): Correction[] {
  const out: Correction[] = [];
  for (const next of corrections) {
    const last = out.at(-1);
    const between = last && answer.slice(last.end, next.start);
    if (last && between !== undefined && between.trim() === '') {
      out[out.length - 1] = { start: last.start, end: next.end, text: last.text + between + next.text };
    } else out.push(next);
  }
  return out;
}

/** Words, and what stands between them. */
function pieces(text: string): string[] {
  return text.match(/\p{L}+|\p{N}+|\s+|[^\p{L}\p{N}\s]/gu) ?? [];
}

/** `[i][j]`: how many pieces `a` from i on and `b` from j on have in common, in order. */
function commonLengths(a: readonly string[], b: readonly string[]): number[][] {
  const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i--) {
    const [row, next] = [table[i] as number[], table[i + 1] as number[]];
    for (let j = b.length - 1; j >= 0; j--) {
      row[j] = a[i] === b[j] ? 1 + (next[j + 1] as number) : Math.max(next[j] as number, row[j + 1] as number);
    }
  }
  return table;
}
