/** One column of a table: its heading, and whether numbers are to end under each other. */
export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/**
 * Rows under headings, columns two spaces apart. Where they are wider than the terminal, the widest columns are wrapped
 * between words; output that goes elsewhere stays whole.
 * @param width characters of a line; as many as the terminal has unless told
 * @example table([{ title: 'task' }, { title: 'value', align: 'right' }], [['pope', '0.91']])
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number = (process.stdout.isTTY && process.stdout.columns) || Number.POSITIVE_INFINITY,
): string {
  const titles = columns.map(({ title }) => title);
  const widths = fitted(
    columns.map((_, at) => [titles, ...rows].map((row) => row[at] ?? '')),
    width,
  );
  const line = (cells: readonly string[]) =>
    columns
      .map(({ align }, at) => {
        const cell = cells[at] ?? '';
        return align === 'right' ? cell.padStart(widths[at] as number) : cell.padEnd(widths[at] as number);
      })
      .join(gap)
      .trimEnd();
  const lines = (row: readonly string[]) => {
    const cells = columns.map((_, at) => wrap(row[at] ?? '', widths[at] as number));
    return Array.from({ length: Math.max(...cells.map((cell) => cell.length)) }, (_, i) =>
      line(cells.map((cell) => cell[i] ?? '')),
    );
  };
  return [...lines(titles), line(widths.map((size) => '-'.repeat(size))), ...rows.flatMap(lines)].join('\n');
}

const gap = '  ';

/** Widths of columns that fit into a line together, as far as their longest words let them. */
function fitted(columns: readonly (readonly string[])[], width: number): number[] {
  const widths = columns.map(longest);
  const least = columns.map((cells) => longest(cells.flatMap((cell) => words(cell))));
  const spare = width - gap.length * (columns.length - 1);
  while (widths.reduce((a, b) => a + b, 0) > spare) {
    const shrinkable = [...widths.keys()].filter((at) => (widths[at] as number) > (least[at] as number));
    const widest = Math.max(...shrinkable.map((at) => widths[at] as number));
    const at = shrinkable.find((candidate) => widths[candidate] === widest);
    if (at === undefined) break;
    widths[at] = widest - 1;
  }
  return widths;
}

const longest = (texts: readonly string[]) => Math.max(0, ...texts.map((text) => text.length));

/** The words of a cell; white space in front stays with the first. */
const words = (cell: string) => cell.match(/^\s*\S+|\S+/g) ?? [];

/** A text in lines of so many characters, cut between words. */
export function wrap(cell: string, width: number): string[] {
  if (cell.length <= width) return [cell];
  const lines: string[] = [];
  for (const word of words(cell)) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
