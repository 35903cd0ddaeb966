/** One column of a table: its heading, and whether numbers are to end under each other. */
export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** Characters of a line on standard output: the terminal's; elsewhere as many as COLUMNS says, or 80. */
export function outputWidth(): number {
  if (process.stdout.isTTY && process.stdout.columns) return process.stdout.columns;
  const said = Number(process.env.COLUMNS);
  return Number.isInteger(said) && said > 0 ? said : 80;
}

/**
 * Rows under headings, columns two spaces apart. Where they are wider than a line, the widest columns are wrapped between
 * words; those that still find no room come below, in a table that begins with the first column again.
 * @param width characters of a line
 * @example table([{ title: 'task' }, { title: 'value', align: 'right' }], [['pope', '0.91']])
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number = outputWidth(),
): string {
  const blocks = blocksOf(columns, rows, width);
  return blocks
    .map((places) =>
      block(
        places.map((at) => columns[at] as Column),
        rows.map((row) => places.map((at) => row[at] ?? '')),
        width,
      ),
    )
    .join('\n\n');
}

/** The columns of each table: all in one, unless that is too wide and several would not be. */
function blocksOf(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): number[][] {
  const least = columns.map((column, at) =>
    leastWidth(
      column,
      rows.map((row) => row[at] ?? ''),
    ),
  );
  const room = (places: readonly number[]) =>
    places.reduce((n, at) => n + (least[at] as number), gap.length * (places.length - 1));
  const all = [...columns.keys()];
  if (room(all) <= width || all.slice(1).some((at) => room([0, at]) > width)) return [all];
  const blocks = [[0]];
  for (const at of all.slice(1)) {
    const last = blocks.at(-1) as number[];
    if (room([...last, at]) <= width) last.push(at);
    else blocks.push([0, at]);
  }
  return blocks;
}

function block(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string {
  const titles = columns.map(({ title }) => title);
  const widths = fitted(columns, rows, width);
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

/** How narrow a column may be: words stay whole, and so does what stands on the right, which is a number and its unit. */
function leastWidth({ title, align }: Column, cells: readonly string[]): number {
  return longest([...words(title), ...(align === 'right' ? cells : cells.flatMap(words))]);
}

/** Widths of columns that fit into a line together, as far as they may shrink. */
function fitted(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): number[] {
  const cellsAt = (at: number) => rows.map((row) => row[at] ?? '');
  const widths = columns.map(({ title }, at) => longest([title, ...cellsAt(at)]));
  const least = columns.map((column, at) => leastWidth(column, cellsAt(at)));
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
