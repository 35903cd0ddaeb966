import { isPlain } from './plain.ts';

const levels = { blocks: '▁▂▃▄▅▆▇█', plain: '_.-:=+*#' };

/**
 * A curve as one line of block characters, or of plain ones where the terminal knows no others, each the mean of its share of the values.
 * @param range lowest and highest value of the scale, the same for curves that are compared
 * @example sparkline([3, 2, 1], 3, [1, 3]) // '█▅▁'
 */
export function sparkline(values: readonly number[], width: number, [low, high]: readonly [number, number]): string {
  const columns = Math.min(width, values.length);
  const signs = isPlain() ? levels.plain : levels.blocks;
  return Array.from({ length: columns }, (_, i) => {
    const from = Math.floor((i * values.length) / columns);
    const to = Math.floor(((i + 1) * values.length) / columns);
    const mean = values.slice(from, to).reduce((a, b) => a + b, 0) / (to - from);
    const share = high > low ? (mean - low) / (high - low) : 0;
    return signs[Math.round(Math.min(1, Math.max(0, share)) * (signs.length - 1))];
  }).join('');
}
